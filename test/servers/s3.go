package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror"
)

// The credentials of the root user of every S3 server of the tests.
const (
	s3AccessKey = "rootkey"
	s3SecretKey = "rootsecret123"
)

// An S3 is a running S3 server of one region.
type S3 struct {
	*Process
	Endpoint  string // http://127.0.0.1:PORT; buckets are addressed by path
	Region    string
	AccessKey string
	SecretKey string

	httpClient *http.Client
	start      func(flags []string) *Process
}

// Restart starts the server again at its address, after a Kill, with all that it
// had on disk, and with further flags. With --readonly versitygw refuses all changes.
func (s *S3) Restart(flags ...string) { s.Process = s.start(flags) }

// StartVersityGW starts versitygw: conditional writes and full-object checksums,
// but no lifecycle, and a key p beside a key p/q cannot be.
func StartVersityGW(t testing.TB, region string) *S3 {
	t.Helper()
	program := find(t, "versitygw", "`go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`")
	dir := t.TempDir() // absolute, as versitygw wants it
	s := newS3(t, region)
	backend := []string{"posix"}
	own := []string{"--port", strings.TrimPrefix(s.Endpoint, "http://"), "--region", region, "--keep-alive", "--quiet"}
	if !hasXattrs(dir) {
		// Metadata in files of its own: readers may see it with another
		// version's bytes, which S3 rules out.
		backend = append(backend, "--sidecar", t.TempDir())
		t.Logf("no user xattrs in %s: versitygw is not atomic there, set TMPDIR to another file system", dir)
	}
	backend = append(backend, dir)
	s.start = func(flags []string) *Process {
		return Start(t, s.ready, []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey},
			program, slices.Concat(own, flags, backend)...)
	}
	s.Restart()
	return s
}

// hasXattrs reports whether files below dir can have extended attributes of users.
func hasXattrs(dir string) bool {
	const name = "user.cloudmirror.probe"
	if err := syscall.Setxattr(dir, name, []byte{1}, 0); err != nil {
		return false
	}
	_ = syscall.Removexattr(dir, name)
	return true
}

// StartMinIO starts minio, which has lifecycle rules and x-amz-expiration as
// well. `make test` does without it; CI has a step of its own for it.
func StartMinIO(t testing.TB, region string) *S3 {
	t.Helper()
	program := find(t, "minio", "`go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c`")
	s := newS3(t, region)
	dir := t.TempDir()
	s.start = func(flags []string) *Process {
		return Start(t, s.ready, []string{
			"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey,
			"MINIO_REGION=" + region, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		}, program, slices.Concat([]string{"server", "--address", strings.TrimPrefix(s.Endpoint, "http://"), "--quiet"}, flags, []string{dir})...)
	}
	s.Restart()
	return s
}

func newS3(t testing.TB, region string) *S3 {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64, ExpectContinueTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &S3{
		Endpoint: "http://127.0.0.1:" + FreePort(t), Region: region, AccessKey: s3AccessKey, SecretKey: s3SecretKey,
		httpClient: &http.Client{Transport: transport},
	}
}

func (s *S3) ready(ctx context.Context) error {
	_, err := s.Client().ListBuckets(ctx, nil)
	return err
}

// Client returns a client of the root user.
func (s *S3) Client() *s3.Client {
	return s.client(credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""))
}

// AnonymousClient returns a client that signs nothing: it may do what the
// bucket's policy allows to everyone, which CreateBucket and Grant set. It has
// no s3:ListBucket unless that is granted.
func (s *S3) AnonymousClient() *s3.Client { return s.client(aws.AnonymousCredentials{}) }

func (s *S3) client(c aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true, Credentials: c,
		HTTPClient: s.httpClient,
		Retryer:    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 50 * time.Millisecond }),
		// s3.New, unlike NewFromConfig, sends no checksums unless told so.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

// CreateBucket creates a bucket with a name of its own, whose objects everybody
// may read if their key, behind prefix, begins with a hexadecimal digit, and
// returns its name. That is the policy which operators give to a bucket of
// copies: sidecars (`private/…`) stay private.
func (s *S3) CreateBucket(t testing.TB, prefix string) string {
	t.Helper()
	bucket := "copies-" + cloudmirror.NewID()
	input := &s3.CreateBucketInput{Bucket: &bucket}
	if s.Region != "us-east-1" { // which must not be named
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(s.Region),
		}
	}
	if _, err := s.Client().CreateBucket(t.Context(), input); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	s.Grant(t, bucket, prefix, "s3:GetObject")
	return bucket
}

// Grant replaces the bucket's policy: everybody may do the actions with the
// objects whose key, behind prefix, begins with a hexadecimal digit.
func (s *S3) Grant(t testing.TB, bucket, prefix string, actions ...string) {
	t.Helper()
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
		t.Fatal(err)
	}
	_, err = s.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(policy))})
	if err != nil {
		t.Fatalf("put the policy of bucket %s: %v", bucket, err)
	}
}
