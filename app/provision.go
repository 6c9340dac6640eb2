package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache/rediscache"
	"cloudmirror/cache/rediscache/redisprovision"
	"cloudmirror/config"
	"cloudmirror/engine"
	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue"
	"cloudmirror/queue/sqsqueue/sqsprovision"
	"cloudmirror/storage/s3store/s3provision"
)

// lifecycleSlack is how much longer than any of its copies a purge's marker and a
// sidecar are there at least: clocks may differ, and S3 counts from the beginning
// of an upload.
const lifecycleSlack = time.Hour

// Provision returns what a configuration needs of Redis, SQS and S3, in the order
// in which it has to be made. Memory and files need nothing. With adopt, what
// another deployment marked as its own is taken over.
func Provision(ctx context.Context, c *config.Config, adopt bool) ([]provision.Resource, error) {
	o, err := newOpener(ctx, c, zap.NewNop())
	if err != nil {
		return nil, err
	}
	owner := c.DeploymentID()
	var resources []provision.Resource
	if c.Cache.Type == config.CacheRedis {
		options := rediscache.Options{URL: c.Cache.Redis.URL, Prefix: c.Cache.Redis.Prefix}
		resources = append(resources, redisprovision.Provision(options, owner, adopt))
	}
	if o.sqs != nil {
		for _, service := range c.Services {
			for _, b := range service.Backends {
				queues, err := sqsprovision.Provision(o.sqsOptions(b.ID), owner, adopt)
				if err != nil {
					return nil, err
				}
				resources = append(resources, queues...)
			}
		}
	}
	buckets, err := o.buckets(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range buckets {
		b.Owner, b.Adopt = owner, adopt
		resources = append(resources, s3provision.Provision(b)...)
	}
	return resources, nil
}

// buckets returns the buckets of the configuration, each once, with what its
// backends keep there.
func (o *opener) buckets(ctx context.Context) ([]s3provision.BucketOptions, error) {
	var buckets []s3provision.BucketOptions
	var places []string // of the same
	names := bucketNames(o.config)
	for _, service := range o.config.Services {
		for _, b := range service.Backends {
			if b.Storage.Type != config.StorageS3 {
				continue
			}
			client, err := o.s3Client(ctx, b.Storage)
			if err != nil {
				return nil, fmt.Errorf("backend %s: %w", b.ID, err)
			}
			place := b.Storage.Place()
			i := slices.Index(places, place)
			if i < 0 {
				i = len(buckets)
				places = append(places, place)
				buckets = append(buckets, s3provision.BucketOptions{Client: client, Bucket: b.Storage.Bucket, Name: names[place]})
			}
			buckets[i].Spaces = append(buckets[i].Spaces, s3provision.Space{
				Prefix: b.Storage.Prefix, Keep: keepFor(service.MaxLife()), Public: b.Storage.IsPublic(), CORS: len(service.CORS) > 0,
			})
		}
	}
	return buckets, nil
}

// keepFor returns for how long a lifecycle rule must not remove a copy, or what is kept
// about it, from the beginning of the upload: as long as the upload may take, and the
// copy may be kept.
func keepFor(maxLife time.Duration) time.Duration {
	return maxLife + engine.LongestCopy(maxLife) + lifecycleSlack
}

// bucketNames returns the name of each bucket, by its place: with its server, if another
// one has a bucket of the same name.
func bucketNames(c *config.Config) map[string]string {
	storages := make(map[string]config.Storage) // by place
	for _, service := range c.Services {
		for _, b := range service.Backends {
			if b.Storage.Type == config.StorageS3 {
				storages[b.Storage.Place()] = b.Storage
			}
		}
	}
	names := make(map[string]string, len(storages))
	for place, s := range storages {
		names[place] = s.Bucket
		for other, t := range storages {
			if t.Bucket == s.Bucket && other != place {
				names[place] = s.Bucket + " at " + cmp.Or(s.Endpoint, "AWS")
			}
		}
	}
	return names
}

// Policy returns what a role may do with the queues and buckets of a
// configuration, once they are provisioned, and nothing that it does not do. A
// copier gets the backends that are its own. The account may be "*".
func Policy(c *config.Config, role provision.Role, account string) provision.Policy {
	var statements []provision.Statement
	for _, service := range c.Services {
		for _, b := range service.Backends {
			if own := c.Copier.Backends; role == provision.Copier && len(own) > 0 && !slices.Contains(own, b.ID) {
				continue
			}
			if c.Queue.Type == config.QueueSQS {
				settings := sqsqueue.Options{Backend: b.ID, Prefix: c.Queue.SQS.Prefix}
				statements = append(statements, sqsprovision.Allow(settings, role, c.Queue.SQS.Region, account)...)
			}
			if s := b.Storage; s.Type == config.StorageS3 {
				statements = append(statements, s3provision.Allow(role, s.Region, s.Bucket, s.Prefix)...)
			}
		}
	}
	return provision.NewPolicy(statements...)
}
