package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
)

// An object is what S3 tells of one.
type object struct {
	key     string // without the store's prefix
	etag    string
	id      string // of the upload; "": it is not ours
	sidecar bool
	info    storage.Info // without what only the sidecar knows
}

// head asks for the object under key. The errors are storage.ErrNotExist, and
// whatever keeps S3 from telling.
func (s *Store) head(ctx context.Context, key string) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fullKey := s.prefix + key
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &fullKey})
	if err != nil {
		return object{}, s.missing(ctx, err)
	}
	s.bucketSeen.Store(time.Now().Unix())
	return newObject(key, out.ETag, out.ContentLength, out.Expiration, out.Metadata, natives{
		out.ContentType, out.ContentEncoding, out.ContentDisposition, out.ContentLanguage, out.CacheControl,
	}), nil
}

// get opens the object under key, with the errors of head. The caller closes the
// body.
func (s *Store) get(ctx context.Context, key string) (io.ReadCloser, object, error) {
	getting, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(s.timeout, cancel) // for the headers alone
	fullKey := s.prefix + key
	out, err := s.client.GetObject(getting, &s3.GetObjectInput{Bucket: &s.bucket, Key: &fullKey})
	if !late.Stop() && ctx.Err() == nil {
		if err == nil {
			_ = out.Body.Close() // nothing was read of it
		}
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, object{}, s.missing(ctx, err)
	}
	return &cancelingBody{out.Body, cancel}, newObject(key, out.ETag, out.ContentLength, out.Expiration, out.Metadata, natives{
		out.ContentType, out.ContentEncoding, out.ContentDisposition, out.ContentLanguage, out.CacheControl,
	}), nil
}

type cancelingBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *cancelingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// bucketTrust is how long a bucket that was seen is taken to exist.
const bucketTrust = 30 * time.Second

// missing turns a 404 about a key into storage.ErrNotExist. The answer to a HEAD
// does not tell whether it is the key that is missing or the bucket.
func (s *Store) missing(ctx context.Context, err error) error {
	if !isStatus(err, statusNotFound) || isCode(err, "NoSuchBucket") {
		return explain(err)
	}
	now := time.Now().Unix()
	if !isCode(err, "NoSuchKey") && now-s.bucketSeen.Load() > int64(bucketTrust/time.Second) {
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		if _, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}); err != nil {
			return fmt.Errorf("look for the bucket %s: %w", s.bucket, explain(err))
		}
		s.bucketSeen.Store(now)
	}
	return storage.ErrNotExist
}

func newObject(key string, etag *string, size *int64, expiration *string, metadata map[string]string, n natives) object {
	o := object{key: key, etag: aws.ToString(etag), id: metadata[metaID], sidecar: metadata[metaSidecar] != ""}
	o.info = storage.Info{SizeBytes: aws.ToInt64(size), SHA256: metadata[metaSHA256], Header: join(n, metadata)}
	storedAt, err := time.Parse(time.RFC3339Nano, metadata[metaStoredAt])
	if err != nil {
		o.id = "" // somebody else's idea of our metadata
	}
	o.info.StoredAt = storedAt
	if value, set := metadata[metaExpiresAt]; set {
		if o.info.ExpiresAt, err = time.Parse(time.RFC3339Nano, value); err != nil {
			o.id = ""
		}
	}
	if announced, ok := parseExpiration(aws.ToString(expiration)); ok {
		o.info.ExpiresAt = earliest(o.info.ExpiresAt, announced)
	}
	if !o.sidecar && o.info.SHA256 == "" {
		o.id = ""
	}
	return o
}

// describe returns the Info of an object that was looked up. The errors are
// storage.ErrNotExist if it is no copy of ours or its time is over, and
// errReplaced if another took its place meanwhile.
func (s *Store) describe(ctx context.Context, o object) (storage.Info, error) {
	if o.id == "" || !o.info.ExpiresAt.IsZero() && !s.now().Before(o.info.ExpiresAt) {
		return storage.Info{}, storage.ErrNotExist
	}
	if !o.sidecar {
		return o.info, nil
	}
	c, err := s.readSidecar(ctx, o.key, o.id)
	if errors.Is(err, storage.ErrNotExist) {
		// It goes after its object: is that still the one that we saw?
		again, err := s.head(ctx, o.key)
		if err != nil {
			return storage.Info{}, err
		}
		if again.id != o.id {
			return storage.Info{}, errReplaced
		}
		return storage.Info{}, storage.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, err
	}
	if c.SizeBytes != o.info.SizeBytes || c.SHA256 == "" {
		return storage.Info{}, storage.ErrNotExist
	}
	info := o.info
	info.SHA256, info.Header = c.SHA256, c.header()
	return info, nil
}
