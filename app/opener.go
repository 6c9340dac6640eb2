package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

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
// memory. The caller closes it, and with it all that it opened.
type opener struct {
	config  *config.Config
	logger  *zap.Logger
	sqs     *sqs.Client // nil unless queues are in SQS
	s3      map[s3store.ClientOptions]*s3.Client
	buffers *s3store.Buffers // of all stores in S3; nil: none can be opened

	background []func(context.Context) // what has to run while the process serves
	closers    []func() error
}

// newOpener returns an opener without buffers. It does not go to the network.
func newOpener(ctx context.Context, c *config.Config, logger *zap.Logger) (o *opener, err error) {
	o = &opener{config: c, logger: logger, s3: make(map[s3store.ClientOptions]*s3.Client)}
	if c.Queue.Type == config.QueueSQS {
		o.sqs, err = newSQSClient(ctx, c.Queue.SQS)
	}
	return o, err
}

func newSQSClient(ctx context.Context, c config.SQS) (*sqs.Client, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.Region))
	if err != nil {
		return nil, fmt.Errorf("configure the AWS SDK for SQS: %w", err)
	}
	return sqsqueue.NewClient(cfg, c.Endpoint), nil
}

func (o *opener) onClose(f func() error) { o.closers = append(o.closers, f) }

// close closes what was opened, the newest first.
func (o *opener) close() error {
	var errs []error
	for _, closeOne := range slices.Backward(o.closers) {
		errs = append(errs, closeOne())
	}
	return errors.Join(errs...)
}

// driverQueue is what every driver of queues has.
type driverQueue interface {
	queue.Queue
	queue.Counter
	queue.DeadLetters
}

func (o *opener) openQueue(id cloudmirror.BackendID) (driverQueue, error) {
	settings := o.config.Queue.SQS
	switch o.config.Queue.Type {
	case config.QueueMemory:
		return memqueue.New(memqueue.Options{
			Visibility: settings.Visibility, MaxReceives: settings.MaxReceives, Logger: o.logger,
		}), nil
	case config.QueueSQS:
		return o.openSQS(o.sqsOptions(id))
	}
	return nil, fmt.Errorf("queue type %q is unknown", o.config.Queue.Type)
}

func (o *opener) openSQS(options sqsqueue.Options) (*sqsqueue.Queue, error) {
	opened, err := sqsqueue.New(options)
	if err != nil {
		return nil, err
	}
	o.onClose(opened.Close)
	return opened, nil
}

func (o *opener) sqsOptions(id cloudmirror.BackendID) sqsqueue.Options {
	c := o.config.Queue.SQS
	return sqsqueue.Options{
		Client: o.sqs, Backend: id, Prefix: c.Prefix, Visibility: c.Visibility,
		MaxReceives: c.MaxReceives, Create: c.Create, Logger: o.logger,
	}
}

// openStorage opens the storage of a backend. The handler serves the copies of a
// storage that the process itself keeps; nil: clients fetch them elsewhere.
func (o *opener) openStorage(ctx context.Context, b config.Backend) (storage.Provider, http.Handler, error) {
	switch b.Storage.Type {
	case config.StorageFile:
		files, err := filestore.New(filestore.Options{ //nolint:contextcheck // it opens a directory, at once
			Dir:       o.filesOf(b.ID),
			PublicURL: o.config.ServerURL() + "/objects/" + b.ID.String(),
			Logger:    o.logger,
		})
		if err != nil {
			return nil, nil, err
		}
		o.onClose(files.Close)
		o.background = append(o.background, files.Run)
		return files, files.Handler(), nil
	case config.StorageS3:
		store, err := o.openS3(ctx, b.Storage)
		return store, nil, err
	}
	return nil, nil, fmt.Errorf("storage type %q is unknown", b.Storage.Type)
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
	return s3store.New(s3store.Options{ //nolint:contextcheck // it sends no request
		Client: client, Bucket: c.Bucket, Prefix: c.Prefix, PublicURL: c.PublicURL, Presign: c.Presign, Buffers: o.buffers,
	})
}

// s3Client returns the one client for all buckets that are reached alike.
func (o *opener) s3Client(ctx context.Context, c config.Storage) (*s3.Client, error) {
	options := s3store.ClientOptions{Region: c.Region, Endpoint: c.Endpoint, PathStyle: c.PathStyle}
	if client, found := o.s3[options]; found {
		return client, nil
	}
	client, err := s3store.NewClient(ctx, options)
	if err == nil {
		o.s3[options] = client
	}
	return client, err
}
