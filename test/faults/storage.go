package main

import (
	"context"
	"fmt"

	"cloudmirror/test/lab"
)

// A storage is the S3 server of a region, and the proxies before it: inner for
// cloudmirror's processes, public for clients.
type storage struct {
	*lab.Process
	bucket        string
	inner, public *middleman
}

func (d *deployment) startStorages(ctx context.Context) error {
	for _, region := range regions {
		if err := d.startStorage(ctx, region); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) startStorage(ctx context.Context, region string) error {
	dir, err := d.mkdir("s3-" + region)
	if err != nil {
		return err
	}
	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = lab.FreeAddress(); err != nil {
			return err
		}
	}
	s := &storage{bucket: "copies-" + region}
	server := lab.NewS3(addresses[0], region)
	command, err := server.VersityGWCommand(dir)
	if err != nil {
		return err
	}
	if s.Process, err = d.start(ctx, "versitygw-"+region, command); err != nil {
		return err
	}
	d.own(s.Kill)
	if s.inner, err = startMiddleman(addresses[1], addresses[0]); err != nil {
		return err
	}
	d.own(s.inner.Close)
	if s.public, err = startMiddleman(addresses[2], addresses[0]); err != nil {
		return err
	}
	d.own(s.public.Close)
	d.storages[region] = s
	return server.CreateBucket(ctx, s.bucket, "")
}

// startSQS starts moto, which is not this project's, or package sqstest.
func (d *deployment) startSQS(ctx context.Context) error {
	port, err := lab.FreePort()
	if err != nil {
		return err
	}
	d.sqs = "127.0.0.1:" + port
	if !d.moto {
		server, err := lab.ServeSQS(d.sqs)
		if err == nil {
			d.own(server.Close)
		}
		return err
	}
	command, err := lab.MotoCommand(port)
	if err != nil {
		return fmt.Errorf("%w, or try -sqs sqstest", err)
	}
	p, err := d.start(ctx, "moto", command)
	if err == nil {
		d.own(p.Kill)
	}
	return err
}
