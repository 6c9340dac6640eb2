package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
	"cloudmirror/storage/s3store"
)

// An opener opens the queues and storages of a process, which share clients and
// memory.
type opener struct {
	config  *config.Config
	logger  *zap.Logger
	sqs     *sqs.Client // nil unless queues are in SQS
	s3      map[s3store.ClientOptions]*s3.Client
	buffers *s3store.Buffers
}

func (a *App) newOpener(ctx context.Context) (*opener, error) {
	o := &opener{config: a.config, logger: a.logger, s3: make(map[s3store.ClientOptions]*s3.Client)}
	var err error
	if o.buffers, err = s3store.NewBuffers(a.config.Copier.PartSizeBytes, a.config.Copier.MemoryBytes); err != nil {
		return nil, err
	}
	if a.config.Queue.Type == config.QueueSQS {
		var cfg aws.Config
		if cfg, err = awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(a.config.Queue.SQS.Region)); err != nil {
			return nil, fmt.Errorf("configure the AWS SDK for SQS: %w", err)
		}
		o.sqs = sqsqueue.NewClient(cfg, a.config.Queue.SQS.Endpoint)
	}
	return o, nil
}

// countedQueue is what every queue driver is.
type countedQueue interface {
	queue.Queue
	queue.Counter
	queue.DeadLetters
}

func (o *opener) openQueue(p *parts, b config.Backend) (countedQueue, error) {
	settings := o.config.Queue.SQS
	switch o.config.Queue.Type {
	case config.QueueMemory:
		return memqueue.New(memqueue.Options{
			Visibility: settings.Visibility, MaxReceives: settings.MaxReceives, Logger: o.logger,
		}), nil
	case config.QueueSQS:
		jobs, err := sqsqueue.New(sqsqueue.Options{
			Client: o.sqs, Backend: b.ID, Prefix: settings.Prefix, Visibility: settings.Visibility,
			MaxReceives: settings.MaxReceives, Create: settings.Create, Logger: o.logger,
		})
		if err != nil {
			return nil, err
		}
		p.onClose(jobs.Close)
		return jobs, nil
	}
	return nil, fmt.Errorf("queue type %q is unknown", o.config.Queue.Type)
}

func (o *opener) openStorage(ctx context.Context, p *parts, b config.Backend) (storage.Provider, error) {
	switch b.Storage.Type {
	case config.StorageFile:
		files, err := filestore.New(filestore.Options{ //nolint:contextcheck // it opens a directory, at once
			Dir:       o.filesOf(b.ID),
			PublicURL: o.config.ServerURL() + "/objects/" + b.ID.String(),
			Logger:    o.logger,
		})
		if err != nil {
			return nil, err
		}
		p.onClose(files.Close)
		p.background = append(p.background, files.Run)
		p.objects[b.ID] = files.Handler()
		return files, nil
	case config.StorageS3:
		return o.openS3(ctx, b.Storage)
	}
	return nil, fmt.Errorf("storage type %q is unknown", b.Storage.Type)
}

// filesOf returns the directory of a backend whose copies are files.
func (o *opener) filesOf(id cloudmirror.BackendID) string {
	return filepath.Join(o.config.DataDir, "objects", id.Service, id.Region)
}

func (o *opener) openS3(ctx context.Context, c config.Storage) (storage.Provider, error) {
	reach := s3store.ClientOptions{Region: c.Region, Endpoint: c.Endpoint, PathStyle: c.PathStyle}
	client, found := o.s3[reach]
	if !found {
		var err error
		if client, err = s3store.NewClient(ctx, reach); err != nil {
			return nil, err
		}
		o.s3[reach] = client
	}
	return s3store.New(s3store.Options{ //nolint:contextcheck // it asks nobody
		Client: client, Bucket: c.Bucket, Prefix: c.Prefix, PublicURL: c.PublicURL, Presign: c.Presign, Buffers: o.buffers,
	})
}
