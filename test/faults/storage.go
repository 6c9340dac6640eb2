package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/queue/sqsqueue/sqstest"
)

// The credentials of the S3 servers, which live as long as the run.
const (
	accessKey = "rootkey"
	secretKey = "rootsecret123"
)

// A storage is the S3 server of a region, and who stands before it: inner for
// our processes, public for clients.
type storage struct {
	*process
	bucket        string
	inner, public *middleman
}

func (d *deployment) startStorages(ctx context.Context) error {
	path, err := find("versitygw")
	if err != nil {
		return err
	}
	for _, region := range regions {
		if err := d.startStorage(ctx, path, region); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) startStorage(ctx context.Context, path, region string) error {
	dir, err := d.mkdir("s3-" + region)
	if err != nil {
		return err
	}
	var addresses [3]string
	for i := range addresses {
		if addresses[i], err = d.freeAddress(); err != nil {
			return err
		}
	}
	s := &storage{bucket: "copies-" + region}
	s.process, err = d.start(ctx, program{
		name: "versitygw-" + region, path: path,
		args:  []string{"--port", addresses[0], "--region", region, "--keep-alive", "--quiet", "posix", dir},
		env:   []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
		ready: accepts(addresses[0]),
	})
	if err != nil {
		return err
	}
	d.own(s.kill)
	if s.inner, err = startMiddleman(addresses[1], addresses[0]); err != nil {
		return err
	}
	d.own(s.inner.close)
	if s.public, err = startMiddleman(addresses[2], addresses[0]); err != nil {
		return err
	}
	d.own(s.public.close)
	d.storages[region] = s
	return createBucket(ctx, "http://"+addresses[0], region, s.bucket)
}

// createBucket creates a bucket whose copies everybody may read, by the policy
// that deploy/ recommends.
func createBucket(ctx context.Context, endpoint, region, bucket string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	input := &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{
		LocationConstraint: types.BucketLocationConstraint(region),
	}}
	if _, err := client.CreateBucket(ctx, input); err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	var resources []string
	for _, digit := range "0123456789abcdef" {
		resources = append(resources, fmt.Sprintf("arn:aws:s3:::%s/%c*", bucket, digit))
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"AWS": "*"}, "Action": []string{"s3:GetObject"}, "Resource": resources,
	}}})
	if err != nil {
		return err
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(policy))})
	if err != nil {
		return fmt.Errorf("put the policy of bucket %s: %w", bucket, err)
	}
	return nil
}

// startSQS starts moto, which nobody here wrote, or our own server.
func (d *deployment) startSQS(ctx context.Context) error {
	address, err := d.freeAddress()
	if err != nil {
		return err
	}
	d.sqs = address
	if !d.moto {
		server := &http.Server{Addr: address, Handler: sqstest.New(sqstest.Options{})}
		go func() { _ = server.ListenAndServe() }() // until close
		d.own(func() { _ = server.Close() })
		return nil
	}
	path, err := find("moto_server")
	if err != nil {
		return fmt.Errorf("%w, or try -sqs sqstest", err)
	}
	host, port, _ := cut(address)
	p, err := d.start(ctx, program{name: "moto", path: path, args: []string{"-H", host, "-p", port}, ready: func(ctx context.Context) error {
		_, err := d.text(ctx, "http://"+address+"/moto-api/data.json")
		return err
	}})
	if err == nil {
		d.own(p.kill)
	}
	return err
}

func getText(ctx context.Context, c *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := c.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(url + ": " + response.Status)
	}
	return string(body), err
}
