package s3store_test

import (
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"cloudmirror"
	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
	"cloudmirror/storage/storagetest"
	"cloudmirror/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region    = "eu-west-1"
	partBytes = 5 << 20 // the least that S3 allows
)

func TestVersityGW(t *testing.T) {
	runSuite(t, servers.StartVersityGW(t, region))
}

func TestMinIO(t *testing.T) {
	runSuite(t, startMinIO(t))
}

// startMinIO skips the test unless CI's step for minio asks for it: its build
// takes minutes.
func startMinIO(t *testing.T) *servers.S3 {
	t.Helper()
	if os.Getenv("CLOUDMIRROR_MINIO") != "1" {
		t.Skip("runs on minio only if CLOUDMIRROR_MINIO=1, as in CI's step of its own; versitygw stands in for S3 otherwise")
	}
	return servers.StartMinIO(t, region)
}

func runSuite(t *testing.T, server *servers.S3) {
	closed := server.CreateBucket(t, "")
	storagetest.Run(t, storagetest.Harness{
		New:       func(t *testing.T) storagetest.Storage { return newStorage(t, server) },
		Broken:    brokenStores(server, closed),
		Client:    stranger(t),
		PartBytes: partBytes,
		Skip: map[string]string{
			"the url serves Last-Modified of the origin": "S3 serves the time of the upload, and nothing else can be set",
		},
	})
}

// newStorage returns a store on a bucket of its own, with a prefix that the
// bucket's policy knows.
func newStorage(t *testing.T, server *servers.S3) storagetest.Storage {
	t.Helper()
	c := new(clock)
	bucket := server.CreateBucket(t, "mirror/")
	store := newStore(t, server, bucket, func(o *s3store.Options) { o.Prefix, o.Now = "mirror/", c.now })
	return storagetest.Storage{
		Provider: store,
		Contents: func(t *testing.T) []string { return contents(t, server.Client(), bucket) },
		Advance:  c.advance,
	}
}

func newStore(t testing.TB, server *servers.S3, bucket string, change func(*s3store.Options)) *s3store.Store {
	t.Helper()
	buffers, err := s3store.NewBuffers(partBytes, 6*partBytes)
	if err != nil {
		t.Fatal(err)
	}
	o := s3store.Options{Client: server.Client(), Bucket: bucket, Buffers: buffers}
	if change != nil {
		change(&o)
	}
	store, err := s3store.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func brokenStores(server *servers.S3, bucket string) map[string]func(t *testing.T) storage.Provider {
	return map[string]func(t *testing.T) storage.Provider{
		"nothing listens there": func(t *testing.T) storage.Provider {
			gone := *server
			gone.Endpoint = "http://127.0.0.1:" + servers.FreePort(t)
			return newStore(t, &gone, bucket, nil)
		},
		"there is no such bucket": func(t *testing.T) storage.Provider {
			return newStore(t, server, "missing-"+cloudmirror.NewID(), nil)
		},
		"the secret is wrong": func(t *testing.T) storage.Provider {
			stranger := *server
			stranger.SecretKey = "wrong"
			return newStore(t, &stranger, bucket, nil)
		},
		"the bucket is closed to its user": func(t *testing.T) storage.Provider {
			return newStore(t, server, bucket, func(o *s3store.Options) {
				o.Client, o.Prefix = server.AnonymousClient(), "not-public/"
			})
		},
	}
}

// contents lists the objects with their ETags, and the unfinished uploads, of a
// bucket.
func contents(t testing.TB, client *s3.Client, bucket string) []string {
	t.Helper()
	var found []string
	objects, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects.Contents {
		found = append(found, *object.Key+" "+*object.ETag)
	}
	uploads, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, upload := range uploads.Uploads {
		found = append(found, "unfinished upload of "+*upload.Key)
	}
	return found
}

// clock can be moved.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// stranger returns a client that has no credentials and decodes nothing.
func stranger(t testing.TB) *http.Client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
