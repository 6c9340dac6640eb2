package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror"
	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
	"cloudmirror/test/servers"
)

// A fault stands between the store and its server. It answers itself, or passes
// the request on with send.
type fault func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)

// clientWith returns a client of the server's root user with a fault.
func clientWith(server *servers.S3, f fault) *s3.Client {
	o := server.Client().Options()
	next := o.HTTPClient
	o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		return f(r, func() (*http.Response, error) { return next.Do(r) })
	})
	return s3.New(o)
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// answer is a response of S3 with an error document.
func answer(r *http.Request, status int, code string) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	body := "<Error><Code>" + code + "</Code><Message>by the test</Message></Error>"
	if r.Method == http.MethodHead {
		body = ""
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

var errReset = errors.New("connection reset by the test")

// lostAnswer lets the server do what was asked and loses the answer.
func lostAnswer(send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return nil, errReset
}

func isCompletion(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func isPut(r *http.Request) bool {
	return r.Method == http.MethodPut && !r.URL.Query().Has("uploadId")
}

func testKey(t *testing.T, name string) string {
	t.Helper()
	o, err := cloudmirror.ParseObject("https://origin.example/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return o.StorageKey(cloudmirror.FirstGeneration)
}

func body(size int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size] }

// Bodies of one part and of two: the two ways of a put.
var sizes = map[string]int{"in one request": 1000, "in parts": partBytes + 1000}

func TestFaults(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	bucket := server.CreateBucket(t, "")
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			f := &faultTest{server: server, bucket: bucket, data: body(size)}
			t.Run("an answer that is lost does not lose the copy", f.lostAnswer)
			t.Run("a server without conditional writes is asked before", f.unconditional)
			t.Run("a refused write leaves nothing", f.refused)
			if size > partBytes {
				t.Run("a broken part leaves nothing", f.brokenPart)
			}
			t.Run("the end of the context while writing leaves nothing", f.cancelled)
			t.Run("an object that is not ours gives way", f.foreign)
			t.Run("a copy whose sidecar is gone gives way", f.withoutSidecar)
			t.Run("a conflict is tried again", f.conflict)
		})
	}
}

type faultTest struct {
	server *servers.S3
	bucket string
	data   []byte
}

func (f *faultTest) store(t *testing.T, fault fault) *s3store.Store {
	t.Helper()
	return newStore(t, f.server, f.bucket, func(o *s3store.Options) {
		if fault != nil {
			o.Client = clientWith(f.server, fault)
		}
	})
}

func (f *faultTest) put(t *testing.T, s *s3store.Store, key string) error {
	t.Helper()
	_, err := s.Put(t.Context(), key, bytes.NewReader(f.data), storage.PutOptions{SizeBytes: int64(len(f.data))})
	return err
}

func (f *faultTest) wantCopy(t *testing.T, key string) {
	t.Helper()
	content, _, err := f.store(t, nil).Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if got, err := io.ReadAll(content); err != nil || !bytes.Equal(got, f.data) {
		t.Errorf("the copy has %d other bytes: %v", len(got), err)
	}
}

func (f *faultTest) lostAnswer(t *testing.T) {
	key := testKey(t, t.Name())
	lossy := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if isPut(r) && strings.Contains(r.URL.Path, "/0/") || isCompletion(r) {
			return lostAnswer(send)
		}
		return send()
	}
	if err := f.put(t, f.store(t, lossy), key); err != nil {
		t.Fatalf("Put gave %v although the server has the copy", err)
	}
	f.wantCopy(t, key)
}

func (f *faultTest) unconditional(t *testing.T) {
	var conditional, refused atomic.Int32
	old := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != "" {
			conditional.Add(1)
			refused.Add(1)
			return answer(r, http.StatusNotImplemented, "NotImplemented")
		}
		return send()
	}
	s := f.store(t, old)
	key := testKey(t, t.Name())
	if err := f.put(t, s, key); err != nil {
		t.Fatal(err)
	}
	f.wantCopy(t, key)
	if err := f.put(t, s, key); !errors.Is(err, storage.ErrExist) {
		t.Errorf("a second Put gave %v, want ErrExist", err)
	}
	if err := f.put(t, s, testKey(t, t.Name()+"2")); err != nil {
		t.Fatal(err)
	}
	if n := conditional.Load(); n == 0 || n > 3 { // the SDK may try a 501 again
		t.Errorf("%d requests had conditions, want one and its retries", n)
	}
}

func (f *faultTest) refused(t *testing.T) {
	before := contents(t, f.server.Client(), f.bucket)
	for _, status := range []int{http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		refusing := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if isPut(r) && !strings.Contains(r.URL.Path, "private/") || isCompletion(r) {
				return answer(r, status, "Refused")
			}
			return send()
		}
		key := testKey(t, t.Name())
		err := f.put(t, f.store(t, refusing), key)
		if err == nil || errors.Is(err, storage.ErrExist) {
			t.Errorf("Put gave %v for a %d", err, status)
		}
		if strings.Contains(err.Error(), f.server.SecretKey) {
			t.Errorf("the error shows the secret: %v", err)
		}
		wantSame(t, before, contents(t, f.server.Client(), f.bucket))
	}
}

func (f *faultTest) brokenPart(t *testing.T) {
	before := contents(t, f.server.Client(), f.bucket)
	broken := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.URL.Query().Get("partNumber") == "1" {
			return answer(r, http.StatusForbidden, "Refused")
		}
		return send()
	}
	if err := f.put(t, f.store(t, broken), testKey(t, t.Name())); err == nil || !strings.Contains(err.Error(), "part 1") {
		t.Errorf("Put gave %v, want the error of part 1", err)
	}
	wantSame(t, before, contents(t, f.server.Client(), f.bucket))
}

func (f *faultTest) cancelled(t *testing.T) {
	before := contents(t, f.server.Client(), f.bucket)
	ctx, cancel := context.WithCancel(t.Context())
	cancelling := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if isPut(r) && !strings.Contains(r.URL.Path, "private/") || isCompletion(r) {
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return send()
	}
	s := f.store(t, cancelling)
	_, err := s.Put(ctx, testKey(t, t.Name()), bytes.NewReader(f.data), storage.PutOptions{SizeBytes: -1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Put gave %v, want context.Canceled", err)
	}
	wantSame(t, before, contents(t, f.server.Client(), f.bucket))
}

func (f *faultTest) foreign(t *testing.T) {
	key := testKey(t, t.Name())
	_, err := f.server.Client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &f.bucket, Key: &key, Body: strings.NewReader("by hand"), Metadata: map[string]string{"cloudmirror-sha256": "forged"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := f.store(t, nil)
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat of a foreign object gave %v, want ErrNotExist", err)
	}
	if err := f.put(t, s, key); err != nil {
		t.Errorf("Put over a foreign object: %v", err)
	}
	f.wantCopy(t, key)
	if err := f.put(t, s, key); !errors.Is(err, storage.ErrExist) {
		t.Errorf("Put over the copy gave %v, want ErrExist", err)
	}
}

func (f *faultTest) withoutSidecar(t *testing.T) {
	key := testKey(t, t.Name())
	s := f.store(t, nil)
	_, err := s.Put(t.Context(), key, bytes.NewReader(f.data), storage.PutOptions{
		SizeBytes: -1, Header: http.Header{"X-Amz-Meta-Name": {"größe"}}, // which needs a sidecar
	})
	if err != nil {
		t.Fatal(err)
	}
	sidecar := sidecarOf(t, f.server.Client(), f.bucket, key)
	if _, err := f.server.Client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &f.bucket, Key: &sidecar}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat gave %v, want ErrNotExist", err)
	}
	if _, _, err := s.Open(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Open gave %v, want ErrNotExist", err)
	}
	if err := f.put(t, s, key); err != nil {
		t.Errorf("Put: %v", err)
	}
	f.wantCopy(t, key)
}

func (f *faultTest) conflict(t *testing.T) {
	var conflicts atomic.Int32
	conflicting := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if (isPut(r) || isCompletion(r)) && conflicts.Add(1) == 1 {
			return answer(r, http.StatusConflict, "ConditionalRequestConflict")
		}
		return send()
	}
	key := testKey(t, t.Name())
	if err := f.put(t, f.store(t, conflicting), key); err != nil {
		t.Errorf("Put gave %v", err)
	}
	f.wantCopy(t, key)
}

func sidecarOf(t *testing.T, client *s3.Client, bucket, key string) string {
	t.Helper()
	hash, _, _ := strings.Cut(key, "/")
	found, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("private/" + hash)})
	if err != nil || len(found.Contents) != 1 {
		t.Fatalf("found %d sidecars of %s: %v", len(found.Contents), key, err)
	}
	return *found.Contents[0].Key
}
