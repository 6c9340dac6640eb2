package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The credentials of the S3 server, which lives as long as its measurement.
const (
	accessKey = "rootkey"
	secretKey = "rootsecret123"
)

// awsEnv are the credentials as AWS' libraries and programs read them.
func awsEnv() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey}
}

// startOrigin starts an origin, which makes its objects while it sends them.
func (l *lab) startOrigin(ctx context.Context) (*process, error) {
	return l.start(ctx, server{program: l.path("origin"), args: []string{"ADDRESS"}})
}

// startEmbedded starts `cloudmirror serve` without a configuration.
func (l *lab) startEmbedded(ctx context.Context, dataDir string) (*process, error) {
	return l.start(ctx, server{program: l.path("cloudmirror"), args: []string{
		"serve", "--listen", "ADDRESS", "--data-dir", dataDir,
		"--allow", `^http://127\.0\.0\.1:[0-9]+/`, "--allow-address", "127.0.0.1/32",
	}})
}

// startConfigured starts a role of cloudmirror with the given parts (lines of its
// configuration) and storage.
func (l *lab) startConfigured(ctx context.Context, role, parts, storage string) (*process, error) {
	return l.start(ctx, l.configured(role, parts, storage))
}

func (l *lab) configured(role, parts, storage string) server {
	listen := "listen"
	if role == "copier" {
		listen = "admin_listen"
	}
	config := fmt.Sprintf(`%s: ADDRESS
data_dir: DIR
%sservices:
  s3:
    allow: ['^http://127\.0\.0\.1:[0-9]+/']
    allow_addresses: [127.0.0.1/32]
    ports: []
    fallback: none
    backends:
      us-east-1: {storage: %s}
`, listen, parts, storage)
	return server{program: l.path("cloudmirror"), args: []string{role, "--config", "CONFIG"}, config: config, env: awsEnv()}
}

func (l *lab) startRedis(ctx context.Context) (*process, error) {
	program, err := find("redis-server", "apt-get install redis-server")
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{program: program, args: []string{"--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--dir", "DIR"}})
}

// cacheOn returns the lines that put the cache into a Redis; near is what else
// they say of it.
func cacheOn(redis *process, near string) string {
	return "cache: {type: redis, redis: {url: 'redis://" + redis.address + "/0'" + near + "}}\n"
}

// withoutNear makes a front end remember nothing.
const withoutNear = ", near: {memory: 0}"

// nowhere are lines for a front end that reaches nothing but Redis, which is all
// that a hit and a wait need, and nowhereStorage is its storage.
const (
	nowhere        = "queue: {type: sqs, sqs: {endpoint: 'http://127.0.0.1:9'}}\nhealth: {interval: 0s}\n"
	nowhereStorage = "{type: s3, bucket: copies, endpoint: 'http://127.0.0.1:9', path_style: true}"
)

// startS3 starts an S3 server with a bucket in a directory; "" is the lab's.
func (l *lab) startS3(ctx context.Context, parent string) (*process, error) {
	program, err := find("versitygw", "make deps")
	if err != nil {
		return nil, err
	}
	s3, err := l.start(ctx, server{
		program: program,
		args:    []string{"--port", "ADDRESS", "--region", "us-east-1", "--keep-alive", "--quiet", "posix", "DIR"},
		parent:  parent,
		env:     []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
	})
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
	return "{type: s3, bucket: copies, endpoint: 'http://" + address + "', path_style: true, presign: true}"
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

	// wrap returns the address to use for a server, for who wants to see what is
	// asked of it; nil: its own.
	wrap func(name, address string) (string, error)
}

// deploy starts the parts of a deployment, and stops them if one does not start.
func (l *lab) deploy(ctx context.Context, p plan) (*deployment, error) {
	d := new(deployment)
	if err := d.start(ctx, l, p); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *deployment) start(ctx context.Context, l *lab, p plan) (err error) {
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
	d.lines, d.storage = "queue: {type: sqs, sqs: {endpoint: 'http://"+sqs+"'}}\nhealth: {interval: 0s}\n", storageOn(s3)
	if d.copier, err = l.startConfigured(ctx, "copier", cacheOn(d.redis, "")+d.lines+p.copier, d.storage); err != nil {
		return err
	}
	d.front, err = l.startConfigured(ctx, "frontend", cacheOn(d.redis, "")+d.lines, d.storage)
	return err
}

func (l *lab) startSQS(ctx context.Context, moto bool) (*process, error) {
	if !moto {
		return l.start(ctx, server{program: l.path("sqs"), args: []string{"ADDRESS"}})
	}
	program, err := find("moto_server", "make deps")
	if err != nil {
		return nil, err
	}
	return l.start(ctx, server{program: program, args: []string{"-H", "127.0.0.1", "-p", "PORT"}})
}

func (d *deployment) stop() {
	for _, p := range []*process{d.front, d.copier, d.s3, d.sqs, d.redis} {
		if p != nil {
			p.stop()
		}
	}
}
