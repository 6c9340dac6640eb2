package app

import (
	"context"
	"fmt"
	"path/filepath"

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
		if o.sqs, err = newSQSClient(ctx, a.config.Queue.SQS); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func newSQSClient(ctx context.Context, c config.SQS) (*sqs.Client, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.Region))
	if err != nil {
		return nil, fmt.Errorf("configure the AWS SDK for SQS: %w", err)
	}
	return sqsqueue.NewClient(cfg, c.Endpoint), nil
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
		jobs, err := sqsqueue.New(o.sqsOptions(b.ID))
		if err != nil {
			return nil, err
		}
		p.onClose(jobs.Close)
		return jobs, nil
	}
	return nil, fmt.Errorf("queue type %q is unknown", o.config.Queue.Type)
}

func (o *opener) sqsOptions(id cloudmirror.BackendID) sqsqueue.Options {
	c := o.config.Queue.SQS
	return sqsqueue.Options{
		Client: o.sqs, Backend: id, Prefix: c.Prefix, Visibility: c.Visibility,
		MaxReceives: c.MaxReceives, Create: c.Create, Logger: o.logger,
	}
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

func (o *opener) openS3(ctx context.Context, c config.Storage) (*s3store.Store, error) {
	client, err := o.s3Client(ctx, c)
	if err != nil {
		return nil, err
	}
	return s3store.New(s3store.Options{ //nolint:contextcheck // it asks nobody
		Client: client, Bucket: c.Bucket, Prefix: c.Prefix, PublicURL: c.PublicURL, Presign: c.Presign, Buffers: o.buffers,
	})
}

// s3Client returns the one client for all buckets that are reached alike.
func (o *opener) s3Client(ctx context.Context, c config.Storage) (*s3.Client, error) {
	reach := s3store.ClientOptions{Region: c.Region, Endpoint: c.Endpoint, PathStyle: c.PathStyle}
	if client, found := o.s3[reach]; found {
		return client, nil
	}
	client, err := s3store.NewClient(ctx, reach)
	if err == nil {
		o.s3[reach] = client
	}
	return client, err
}
