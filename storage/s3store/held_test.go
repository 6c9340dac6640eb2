package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
)

// heldMemory is eight parts: seven for bodies, and one for their beginnings.
const heldMemory = 8 * partBytes

// newHeldStore returns a store on a server that reads bodies and answers when open
// is closed.
func newHeldStore(t *testing.T, open <-chan struct{}) *s3store.Store {
	t.Helper()
	client := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String("http://s3.invalid"),
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			if r.Body != nil {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return nil, err
				}
			}
			<-open
			return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, Body: http.NoBody, Header: http.Header{}}, nil
		}),
	})
	buffers, err := s3store.NewBuffers(partBytes, heldMemory)
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3store.New(s3store.Options{Client: client, Bucket: "bucket", Buffers: buffers})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tally counts the bytes that Put calls have read and not stored yet.
type tally struct{ now, most atomic.Int64 }

func (c *tally) add(n int64) {
	for now := c.now.Add(n); ; {
		most := c.most.Load()
		if now <= most || c.most.CompareAndSwap(most, now) {
			return
		}
	}
}

// counted is a body whose bytes are counted.
func (c *tally) counted(size int64) io.Reader {
	rest := size
	return readerFunc(func(p []byte) (int, error) {
		if rest == 0 {
			return 0, io.EOF
		}
		n := min(rest, int64(len(p)), 20_000)
		rest -= n
		c.add(n)
		return int(n), nil
	})
}

func TestBodiesInMemoryStayWithinTheBound(t *testing.T) {
	const bodies, size = 100, 1 << 20
	for name, told := range map[string]int64{"lengths that are told": size, "lengths that are not known": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var held tally
				open := make(chan struct{})
				s := newHeldStore(t, open)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				var group sync.WaitGroup
				for i := range bodies {
					key := testKey(t, fmt.Sprint(i))
					group.Go(func() {
						if _, err := s.Put(t.Context(), key, held.counted(size), storage.PutOptions{SizeBytes: told}); err != nil {
							t.Error(err)
						}
						held.add(-size)
					})
				}
				synctest.Wait() // until each waits for memory or for the server
				if got := held.now.Load(); got < 7*size {
					t.Errorf("%d bytes are held while the server answers nobody, so that this shows nothing", got)
				}
				close(open)
				group.Wait()
				runtime.ReadMemStats(&after)
				if most := held.most.Load(); most > heldMemory {
					t.Errorf("up to %d bytes were held, where %d are allowed", most, heldMemory)
				}
				if got := after.TotalAlloc - before.TotalAlloc; runtime.GOOS == "linux" && got > bodies*size/3 {
					t.Errorf("%d bytes were allocated beside the bound, for bodies of %d", got, bodies*size)
				}
			})
		})
	}
}

// Origins that send a few bytes and then nothing keep no other body waiting,
// however long theirs are said to be.
func TestDrippingBodiesHoldNoParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		close(open)
		s := newHeldStore(t, open)
		ctx, end := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 70 {
			sent := false
			body := readerFunc(func(p []byte) (int, error) {
				if sent {
					<-ctx.Done()
					return 0, ctx.Err()
				}
				sent = true
				return min(len(p), 1000), nil
			})
			key, told := testKey(t, fmt.Sprint(i)), []int64{-1, 1 << 30}[i%2]
			group.Go(func() {
				if _, err := s.Put(ctx, key, body, storage.PutOptions{SizeBytes: told}); !errors.Is(err, context.Canceled) {
					t.Errorf("Put gave %v", err)
				}
			})
		}
		synctest.Wait()
		for _, size := range []int{1000, partBytes} {
			healthy := strings.NewReader(strings.Repeat("x", size))
			soon, cancel := context.WithTimeout(t.Context(), time.Hour)
			if _, err := s.Put(soon, testKey(t, "healthy"), healthy, storage.PutOptions{SizeBytes: int64(size)}); err != nil {
				t.Errorf("a healthy body of %d bytes: %v", size, err)
			}
			cancel()
		}
		end()
		group.Wait()
	})
}
