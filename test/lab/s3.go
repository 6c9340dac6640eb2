package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The credentials of the root user of every S3 server of the lab. SQS servers take
// any.
const (
	AccessKey = "rootkey"
	SecretKey = "rootsecret123"
)

// AWSEnv returns the credentials as AWS' libraries and programs read them.
func AWSEnv() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_EC2_METADATA_DISABLED=true"}
}

// An S3 is how to reach an S3 server of one region.
type S3 struct {
	Endpoint  string // http://127.0.0.1:PORT; buckets are addressed by path
	Region    string
	AccessKey string
	SecretKey string

	HTTPClient *http.Client // nil: one for each S3 client
}

// NewS3 returns how to reach an S3 server of the lab as its root user.
func NewS3(address, region string) S3 {
	return S3{
		Endpoint: "http://" + address, Region: region, AccessKey: AccessKey, SecretKey: SecretKey,
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, ExpectContinueTimeout: time.Second}},
	}
}

// VersityGWCommand returns the command of versitygw as the server, with its buckets
// as directories of dir: conditional writes and full-object checksums, but no
// lifecycle, and a key p beside a key p/q cannot be. Flags of the backend, such as
// --sidecar, stand before dir.
func (s S3) VersityGWCommand(dir string, backendFlags ...string) (Command, error) {
	program, err := Find("versitygw", "`go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`")
	args := []string{"--port", s.address(), "--region", s.Region, "--keep-alive", "--quiet", "posix"}
	return Command{
		Program: program, Args: slices.Concat(args, backendFlags, []string{dir}),
		Env: []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}, Ready: s.ready,
	}, err
}

// MinIOCommand returns the command of minio as the server, with its files in dir: it
// has lifecycle rules and x-amz-expiration as well.
func (s S3) MinIOCommand(dir string) (Command, error) {
	program, err := Find("minio", "`go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c`")
	return Command{
		Program: program, Args: []string{"server", "--address", s.address(), "--quiet", dir},
		Env: []string{
			"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
			"MINIO_REGION=" + s.Region, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		},
		Ready: s.ready,
	}, err
}

func (s S3) address() string { return strings.TrimPrefix(s.Endpoint, "http://") }

func (s S3) ready(ctx context.Context) error {
	_, err := s.Client().ListBuckets(ctx, nil)
	return err
}

// Client returns a client with the credentials.
func (s S3) Client() *s3.Client {
	return s.client(credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""))
}

// AnonymousClient returns a client that signs nothing: it may do what the
// bucket's policy allows to everyone, which Grant sets. It has no s3:ListBucket
// unless that is granted.
func (s S3) AnonymousClient() *s3.Client { return s.client(aws.AnonymousCredentials{}) }

func (s S3) client(c aws.CredentialsProvider) *s3.Client {
	o := s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true, Credentials: c,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 50 * time.Millisecond }),
		// s3.New, unlike NewFromConfig, sends no checksums unless told so.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
	if s.HTTPClient != nil {
		o.HTTPClient = s.HTTPClient
	}
	return s3.New(o)
}

// CreateBucket creates a bucket whose objects every client may read if their key,
// behind prefix, begins with a hexadecimal digit. That is the policy which operators
// give to a bucket of copies: sidecars (`private/…`) stay private.
func (s S3) CreateBucket(ctx context.Context, bucket, prefix string) error {
	input := &s3.CreateBucketInput{Bucket: &bucket}
	if s.Region != "us-east-1" { // which must not be named
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(s.Region),
		}
	}
	if _, err := s.Client().CreateBucket(ctx, input); err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	return s.Grant(ctx, bucket, prefix, "s3:GetObject")
}

// Grant replaces the bucket's policy: every client may do the actions with the
// objects whose key, behind prefix, begins with a hexadecimal digit.
func (s S3) Grant(ctx context.Context, bucket, prefix string, actions ...string) error {
	var resources []string
	for _, digit := range "0123456789abcdef" {
		resources = append(resources, fmt.Sprintf("arn:aws:s3:::%s/%s%c*", bucket, prefix, digit))
	}
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"AWS": "*"}, "Action": actions, "Resource": resources,
		}},
	})
	if err != nil {
		return err
	}
	_, err = s.Client().PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(policy))})
	if err != nil {
		return fmt.Errorf("put the policy of bucket %s: %w", bucket, err)
	}
	return nil
}
