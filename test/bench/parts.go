package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"cloudmirror/test/lab"
)

// anyOrigin lets the objects of all origins through.
const anyOrigin = `^http://127\.0\.0\.1:[0-9]+/`

// startOrigin starts an origin, which makes its objects while it sends them.
func (l *laboratory) startOrigin(ctx context.Context) (*process, error) {
	return l.start(ctx, server{Command: lab.Command{Program: l.path("origin"), Args: []string{"ADDRESS"}}})
}

// startEmbedded starts `cloudmirror serve` without a configuration.
func (l *laboratory) startEmbedded(ctx context.Context, dataDir string) (*process, error) {
	return l.start(ctx, server{Command: lab.Command{Program: l.path("cloudmirror"), Args: []string{
		"serve", "--listen", "ADDRESS", "--data-dir", dataDir, "--allow", anyOrigin, "--allow-address", "127.0.0.1/32",
	}}})
}

// startConfigured starts a role of cloudmirror with the given parts (lines of its
// configuration) and storage.
func (l *laboratory) startConfigured(ctx context.Context, role, parts, storage string) (*process, error) {
	return l.start(ctx, l.configured(role, parts, storage))
}

func (l *laboratory) configured(role, parts, storage string) server {
	listen := "listen"
	if role == "copier" {
		listen = "admin_listen"
	}
	config := lab.Config{
		Lines: append([]string{listen + ": ADDRESS", "data_dir: DIR"}, strings.Split(strings.TrimSuffix(parts, "\n"), "\n")...),
		Services: []lab.Service{{
			Name: "s3", Allow: anyOrigin, Lines: []string{"fallback: none"}, Backends: [][2]string{{"us-east-1", storage}},
		}},
	}
	return server{
		Command: lab.Command{Program: l.path("cloudmirror"), Args: []string{role, "--config", "CONFIG"}, Env: lab.AWSEnv()},
		config:  config.String(),
	}
}

func (l *laboratory) startRedis(ctx context.Context) (*process, error) {
	c, err := lab.RedisCommand(lab.RedisAccess{}, "PORT", "DIR")
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{Command: c})
}

// cacheOn returns the line that puts the cache into a Redis, with more of its keys.
func cacheOn(redis *process, keys ...string) string {
	return lab.RedisCache(redis.address, keys...) + "\n"
}

// withoutNear makes a front end remember nothing.
const withoutNear = "near: {memory: 0}"

// nowhere are lines for a front end that reaches nothing but Redis, which is all
// that a hit and a wait need, and nowhereStorage is its storage.
const (
	nowhere        = "queue: {type: sqs, sqs: {endpoint: 'http://127.0.0.1:9'}}\nhealth: {interval: 0s}\n"
	nowhereStorage = "{type: s3, bucket: copies, endpoint: 'http://127.0.0.1:9', path_style: true}"
)

// startS3 starts an S3 server with a bucket in a directory; "" is the laboratory's.
func (l *laboratory) startS3(ctx context.Context, parent string) (*process, error) {
	c, err := lab.NewS3("ADDRESS", "us-east-1").VersityGWCommand("DIR")
	if err != nil {
		return nil, err
	}
	s3, err := l.start(ctx, server{Command: c, parent: parent})
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(bucketDir(s3), 0o700); err != nil {
		s3.stop()
		return nil, err
	}
	return s3, nil
}

// bucketDir is the bucket of the S3 server, where a bucket is a directory.
func bucketDir(s3 *process) string { return filepath.Join(s3.dir, "copies") }

// emptyBucket makes room on the disk.
func emptyBucket(s3 *process) error {
	return errors.Join(os.RemoveAll(bucketDir(s3)), os.Mkdir(bucketDir(s3), 0o700))
}

// storageOn returns the storage in an S3 server's bucket.
func storageOn(address string) string {
	return lab.NewS3(address, "us-east-1").Storage("copies", "presign: true")
}

// A deployment is cloudmirror as in production: a front end and a copier on
// Redis, SQS and S3.
type deployment struct {
	redis, front, copier, sqs, s3 *process
	lines, storage                string // the configuration, for one more front end
}

// A plan says what a deployment differs in.
type plan struct {
	moto   bool   // the SQS server of others
	copier string // lines of the copier's configuration

	// wrap returns the address to use for a server, for a section that counts its
	// requests; nil: its own.
	wrap func(name, address string) (string, error)
}

// deploy starts the parts of a deployment, and stops them if one does not start.
func (l *laboratory) deploy(ctx context.Context, p plan) (*deployment, error) {
	d := new(deployment)
	if err := d.start(ctx, l, p); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *deployment) start(ctx context.Context, l *laboratory, p plan) (err error) {
	if p.wrap == nil {
		p.wrap = func(_, address string) (string, error) { return address, nil }
	}
	if d.redis, err = l.startRedis(ctx); err != nil {
		return err
	}
	if d.sqs, err = l.startSQS(ctx, p.moto); err != nil {
		return err
	}
	if d.s3, err = l.startS3(ctx, ""); err != nil {
		return err
	}
	sqs, err := p.wrap("SQS", d.sqs.address)
	if err != nil {
		return err
	}
	s3, err := p.wrap("S3", d.s3.address)
	if err != nil {
		return err
	}
	d.lines, d.storage = lab.SQSQueue("http://"+sqs)+"\nhealth: {interval: 0s}\n", storageOn(s3)
	if d.copier, err = l.startConfigured(ctx, "copier", cacheOn(d.redis)+d.lines+p.copier, d.storage); err != nil {
		return err
	}
	d.front, err = l.startConfigured(ctx, "frontend", cacheOn(d.redis)+d.lines, d.storage)
	return err
}

func (l *laboratory) startSQS(ctx context.Context, moto bool) (*process, error) {
	if !moto {
		return l.start(ctx, server{Command: lab.Command{Program: l.path("sqs"), Args: []string{"ADDRESS"}}})
	}
	c, err := lab.MotoCommand("PORT")
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{Command: c})
}

func (d *deployment) stop() {
	for _, p := range []*process{d.front, d.copier, d.s3, d.sqs, d.redis} {
		if p != nil {
			p.stop()
		}
	}
}
