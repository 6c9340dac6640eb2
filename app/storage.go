package app

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
)

// OpenStorage opens the storage of one backend alone, for commands that look at
// copies while servers run. The caller closes it. Files that are not on this
// machine are an error, not an empty storage.
func OpenStorage(ctx context.Context, c *config.Config, id cloudmirror.BackendID) (_ storage.Provider, closeAll func() error, err error) {
	b, found := findBackend(c, id)
	if !found {
		return nil, nil, fmt.Errorf("the configuration has no backend %s", id)
	}
	o := &opener{config: c, logger: zap.NewNop(), s3: make(map[s3store.ClientOptions]*s3.Client)}
	if b.Storage.Type == config.StorageFile {
		if _, err := os.Stat(o.filesOf(id)); err != nil {
			return nil, nil, fmt.Errorf("open the files of backend %s: %w", id, err)
		}
	}
	if o.buffers, err = s3store.NewBuffers(c.Copier.PartSizeBytes, c.Copier.MemoryBytes); err != nil {
		return nil, nil, err
	}
	copies, _, err := o.openStorage(ctx, b)
	if err != nil {
		return nil, nil, fmt.Errorf("backend %s: %w", id, err)
	}
	return copies, o.close, nil
}

func findBackend(c *config.Config, id cloudmirror.BackendID) (config.Backend, bool) {
	for _, service := range c.Services {
		if i := slices.IndexFunc(service.Backends, func(b config.Backend) bool { return b.ID == id }); i >= 0 {
			return service.Backends[i], true
		}
	}
	return config.Backend{}, false
}
