package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
)

// Options configure a Store.
type Options struct {
	// Client speaks to the bucket; NewClient makes one.
	Client *s3.Client
	Bucket string
	// Prefix is put before each key as it is: end it with a slash to make it a
	// folder.
	Prefix string
	// PublicURL is what clients find the bucket's keys below, prefix included.
	// "": the bucket's own address at the client's endpoint.
	PublicURL string
	// Presign redirects clients to signed URLs, for private buckets.
	Presign bool
	// PresignExpiry is how long they are valid. 0: 1 hour.
	PresignExpiry time.Duration
	// Buffers hold the parts that are being uploaded; one is shared by all
	// stores of a process. nil: one of the store's own, of 16 MiB parts.
	Buffers *Buffers
	// Timeout bounds one request, retries included, but for bodies that are
	// being read. 0: 15 s. Requests that carry bytes of a copy have a second
	// more for each 64 KiB, and the completion of an upload, during which S3
	// may put the parts together, 20 times that.
	Timeout time.Duration
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// A Store is a storage.Provider on a bucket. It is safe for concurrent use.
type Store struct {
	client    *s3.Client
	bucket    string
	prefix    string
	publicURL string
	presign   *s3.PresignClient // nil: public URLs
	expiry    time.Duration
	buffers   *Buffers
	timeout   time.Duration
	now       func() time.Time

	unconditional atomic.Bool  // the server has no conditional writes
	unchecked     atomic.Bool  // the server has no full-object checksums
	bucketSeen    atomic.Int64 // when the bucket was last known to exist, in Unix seconds
}

var _ storage.Provider = (*Store)(nil)

// New returns a store. It does not go to the network; a bucket that cannot be
// reached shows in the errors of the calls.
func New(o Options) (*Store, error) {
	if o.Client == nil || o.Bucket == "" {
		return nil, errors.New("s3store: a client and a bucket are needed")
	}
	s := &Store{
		client: o.Client, bucket: o.Bucket, prefix: o.Prefix, publicURL: strings.TrimSuffix(o.PublicURL, "/"),
		expiry: o.PresignExpiry, buffers: o.Buffers, timeout: o.Timeout, now: o.Now,
	}
	if s.expiry <= 0 {
		s.expiry = time.Hour
	}
	if s.timeout <= 0 {
		s.timeout = 15 * time.Second
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if s.buffers == nil {
		if s.buffers, err = NewBuffers(defaultPartBytes, 4*defaultPartBytes); err != nil {
			return nil, err
		}
	}
	if o.Presign {
		s.presign = s3.NewPresignClient(o.Client)
	}
	if s.publicURL == "" {
		if s.publicURL, err = bucketURL(o.Client, o.Bucket); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Stat implements storage.Provider.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	for range maxLooks {
		o, err := s.head(ctx, key)
		if err == nil {
			var info storage.Info
			if info, err = s.describe(ctx, o); err == nil {
				return info, nil
			}
		}
		if !errors.Is(err, errReplaced) {
			return storage.Info{}, fmt.Errorf("s3store: stat %s: %w", key, s.at(err))
		}
	}
	return storage.Info{}, fmt.Errorf("s3store: stat %s: %w", key, s.at(errReplaced))
}

// Open implements storage.Provider.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	for range maxLooks {
		body, o, err := s.get(ctx, key)
		if err == nil {
			var info storage.Info
			if info, err = s.describe(ctx, o); err == nil {
				return body, info, nil
			}
			_ = body.Close() // nothing was read of it
		}
		if !errors.Is(err, errReplaced) {
			return nil, storage.Info{}, fmt.Errorf("s3store: open %s: %w", key, s.at(err))
		}
	}
	return nil, storage.Info{}, fmt.Errorf("s3store: open %s: %w", key, s.at(errReplaced))
}

// Delete implements storage.Provider. The object goes first: without its sidecar
// it would be seen as broken.
func (s *Store) Delete(ctx context.Context, key string) error {
	o, err := s.head(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	// Whatever keeps us from looking, what must be gone should be gone.
	if removeErr := s.remove(ctx, s.prefix+key); err == nil || removeErr != nil {
		err = removeErr
	}
	if err == nil && o.sidecar {
		err = s.remove(ctx, s.sidecarKey(key, o.id))
	}
	if err != nil {
		return fmt.Errorf("s3store: delete %s: %w", key, s.at(err))
	}
	return nil
}

// remove deletes one object of S3.
func (s *Store) remove(ctx context.Context, fullKey string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &fullKey})
	if isStatus(err, statusNotFound) && !isCode(err, "NoSuchBucket") {
		return nil
	}
	return explain(err)
}

// transferTimeout bounds a request that carries bytes of a copy.
func (s *Store) transferTimeout(sizeBytes int64) time.Duration {
	return s.timeout + time.Duration(sizeBytes>>16)*time.Second
}
