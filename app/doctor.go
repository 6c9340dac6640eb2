package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/doctor"
	"cloudmirror/kv/rediskv"
	"cloudmirror/presence"
	"cloudmirror/storage/s3store"
)

// trialTimeout bounds one request that doctor makes as a client.
const trialTimeout = 10 * time.Second

// presenceTimeout bounds how long doctor waits for the notes of processes.
const presenceTimeout = 5 * time.Second

// Bounds of what doctor's trial copies need: they are small.
const (
	trialPartBytes   = 5 << 20 // the least that S3 takes
	trialMemoryBytes = 4 * trialPartBytes
)

// Diagnose holds a configuration against the world and tells each finding. The
// error is what keeps it from beginning, or from getting to the end. The clock now
// is this machine's.
func Diagnose(ctx context.Context, c *config.Config, now func() time.Time, tell func(doctor.Finding)) (err error) {
	o := doctor.Options{Config: c, Now: now}
	if o.Resources, err = Provision(ctx, c, false); err != nil {
		return err
	}
	if c.Cache.Type == config.CacheRedis {
		o.Cache = func(ctx context.Context) ([]rediscache.NodeReport, error) {
			return rediscache.Inspect(ctx, rediscache.Options{URL: c.Cache.Redis.URL, Prefix: c.Cache.Redis.Prefix}, now)
		}
		o.Processes = func(ctx context.Context) ([]presence.Note, error) { return processes(ctx, c.Cache.Redis) }
	}
	var closeAll func() error
	if o.Backends, closeAll, err = diagnosed(ctx, c); err != nil {
		return err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment} // as clients on this machine have it
	defer transport.CloseIdleConnections()
	o.Client = &http.Client{Transport: transport, Timeout: trialTimeout}
	doctor.Examine(ctx, o, tell)
	return errors.Join(closeAll(), context.Cause(ctx))
}

// processes returns what the processes of a deployment say of themselves.
func processes(ctx context.Context, c config.Redis) ([]presence.Note, error) {
	client, err := rediscache.Open(c.URL)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	return presence.Read(ctx, rediskv.New(client, c.Prefix))
}

// diagnosed opens what can be looked at without a server; after an error nothing is
// open. Queues are not created.
func diagnosed(ctx context.Context, c *config.Config) (backends []doctor.Backend, closeAll func() error, err error) {
	o, err := newOpener(ctx, c, zap.NewNop())
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.buffers, err = s3store.NewBuffers(trialPartBytes, trialMemoryBytes); err != nil {
		return nil, nil, err
	}
	names := bucketNames(c)
	for _, service := range c.Services {
		for _, b := range service.Backends {
			examined := doctor.Backend{ID: b.ID, Name: names[b.Storage.Place()], Prefix: b.Storage.Prefix, Private: b.Storage.Presign, CORS: len(service.CORS) > 0}
			if o.sqs != nil {
				settings := o.sqsOptions(b.ID)
				settings.Create = false
				if examined.Queue, err = o.openSQS(settings); err != nil {
					return nil, nil, fmt.Errorf("backend %s: %w", b.ID, err)
				}
			}
			if b.Storage.Type == config.StorageS3 {
				if examined.Storage, err = o.openS3(ctx, b.Storage); err != nil {
					return nil, nil, fmt.Errorf("backend %s: %w", b.ID, err)
				}
			}
			backends = append(backends, examined)
		}
	}
	return backends, o.close, nil
}
