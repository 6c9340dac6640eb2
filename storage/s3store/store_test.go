package s3store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
	"cloudmirror/test/servers"
)

func wantSame(t *testing.T, before, after []string) {
	t.Helper()
	slices.Sort(before)
	slices.Sort(after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the bucket holds something else than before (-before +after):\n%s", diff)
	}
}

// S3 answers 403 to a HEAD of a missing key if the user lacks s3:ListBucket.
func TestForbiddenIsNeitherHitNorMiss(t *testing.T) {
	client := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String("http://s3.invalid"), Credentials: aws.AnonymousCredentials{},
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) { return answer(r, http.StatusForbidden, "AccessDenied") }),
	})
	s, err := s3store.New(s3store.Options{Client: client, Bucket: "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	_, statErr := s.Stat(t.Context(), testKey(t, "x"))
	_, _, openErr := s.Open(t.Context(), testKey(t, "x"))
	_, putErr := s.Put(t.Context(), testKey(t, "x"), strings.NewReader("x"), storage.PutOptions{SizeBytes: 1})
	for call, err := range map[string]error{"Stat": statErr, "Open": openErr, "Put": putErr, "Delete": s.Delete(t.Context(), testKey(t, "x"))} {
		if err == nil || errors.Is(err, storage.ErrNotExist) || !strings.Contains(err.Error(), "s3:ListBucket") {
			t.Errorf("%s gave %v, want an error that names s3:ListBucket", call, err)
		}
	}
}

func TestSidecarIsPrivate(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	bucket := server.CreateBucket(t, "")
	s := newStore(t, server, bucket, nil)
	const secret = "OPEN-SESAME"
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			key := testKey(t, t.Name())
			header := http.Header{
				"Content-Type": {"text/plain"}, "X-Amz-Meta-Small": {"fits"},
				"X-Amz-Meta-Long": {strings.Repeat("v", 3000)}, "X-Amz-Meta-Name": {"größe"},
				"Content-Disposition": {"attachment"}, "Last-Modified": {"Wed, 21 Oct 2015 07:28:00 GMT"},
			}
			source := "https://origin.example/" + name + "?token=" + secret
			_, err := s.Put(t.Context(), key, bytes.NewReader(body(size)), storage.PutOptions{SizeBytes: -1, Header: header, Source: source})
			if err != nil {
				t.Fatal(err)
			}
			info, err := s.Stat(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(header, info.Header); diff != "" {
				t.Errorf("headers by the sidecar (-want +got):\n%s", diff)
			}
			head, err := server.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
			if err != nil {
				t.Fatal(err)
			}
			if public := fmt.Sprint(head.Metadata); strings.Contains(public, secret) || head.Metadata["small"] != "fits" {
				t.Errorf("public metadata: %s", public)
			}
			sidecar := sidecarOf(t, server.Client(), bucket, key)
			_, err = server.AnonymousClient().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &sidecar})
			if err == nil {
				t.Error("strangers can read the sidecar")
			}
			out, err := server.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &sidecar})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			var kept struct {
				URL    string `json:"url"`
				SHA256 string `json:"sha256"`
				Size   int    `json:"size"`
			}
			if err := json.NewDecoder(out.Body).Decode(&kept); err != nil || kept.URL != source || kept.SHA256 != info.SHA256 || kept.Size != size {
				t.Errorf("the sidecar says %+v, %v", kept, err)
			}
		})
	}
}

func TestSmallCopyNeedsNoSidecar(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	bucket := server.CreateBucket(t, "")
	s := newStore(t, server, bucket, nil)
	key := testKey(t, "small")
	_, err := s.Put(t.Context(), key, strings.NewReader("small"), storage.PutOptions{SizeBytes: 5, Header: http.Header{"Content-Type": {"a/b"}}})
	if err != nil {
		t.Fatal(err)
	}
	if found := contents(t, server.Client(), bucket); len(found) != 1 {
		t.Errorf("the bucket holds %v", found)
	}
}

func TestPresignedURLs(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	bucket := server.CreateBucket(t, "")
	s := newStore(t, server, bucket, func(o *s3store.Options) { o.Presign, o.Prefix = true, "private bucket+é/" })
	key := testKey(t, "a%20b+c(1)'%C3%A9.txt")
	if _, err := s.Put(t.Context(), key, strings.NewReader("content"), storage.PutOptions{SizeBytes: 7}); err != nil {
		t.Fatal(err)
	}
	client := stranger(t)
	fetch := func(method, url string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if got, err := io.ReadAll(response.Body); response.StatusCode == http.StatusOK && method == http.MethodGet && (err != nil || string(got) != "content") {
			t.Errorf("GET gave %q, %v", got, err)
		}
		return response.StatusCode
	}
	for method, other := range map[string]string{http.MethodGet: http.MethodHead, http.MethodHead: http.MethodGet} {
		link, err := s.URL(t.Context(), key, method)
		if err != nil {
			t.Fatal(err)
		}
		if !link.Private {
			t.Error("a signed URL must be private")
		}
		if got := fetch(method, link.URL); got != http.StatusOK {
			t.Errorf("%s of a URL for it answered %d", method, got)
		}
		if got := fetch(other, link.URL); got != http.StatusForbidden {
			t.Errorf("%s of a URL for %s answered %d", other, method, got)
		}
		plain, _, _ := strings.Cut(link.URL, "?")
		if got := fetch(method, plain); got != http.StatusForbidden {
			t.Errorf("%s without the signature answered %d", method, got)
		}
	}
	if _, err := s.URL(t.Context(), key, http.MethodPut); err == nil {
		t.Error("a URL for PUT was signed")
	}
}

func TestPublicURL(t *testing.T) {
	cases := map[string]struct {
		client  s3store.ClientOptions
		options s3store.Options
		want    string
	}{
		"on AWS the bucket's own host": {
			s3store.ClientOptions{Region: "eu-west-1"},
			s3store.Options{Bucket: "copies"},
			"https://copies.s3.eu-west-1.amazonaws.com/",
		},
		"on AWS by path": {
			s3store.ClientOptions{Region: "eu-west-1", PathStyle: true},
			s3store.Options{Bucket: "copies", Prefix: "a b/"},
			"https://s3.eu-west-1.amazonaws.com/copies/a%20b/",
		},
		"a bucket whose name has dots goes by path, for the certificate": {
			s3store.ClientOptions{Region: "eu-west-1"},
			s3store.Options{Bucket: "copies.example.com"},
			"https://s3.eu-west-1.amazonaws.com/copies.example.com/",
		},
		"another implementation": {
			s3store.ClientOptions{Region: "auto", Endpoint: "https://s3.example:9000", PathStyle: true},
			s3store.Options{Bucket: "copies"},
			"https://s3.example:9000/copies/",
		},
		"another implementation by host": {
			s3store.ClientOptions{Region: "auto", Endpoint: "https://s3.example"},
			s3store.Options{Bucket: "copies"},
			"https://copies.s3.example/",
		},
		"a CDN": {
			s3store.ClientOptions{Region: "eu-west-1"},
			s3store.Options{Bucket: "copies", Prefix: "m/", PublicURL: "https://cdn.example/x/"},
			"https://cdn.example/x/m/",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, err := s3store.NewClient(t.Context(), c.client)
			if err != nil {
				t.Fatal(err)
			}
			c.options.Client = client
			s, err := s3store.New(c.options)
			if err != nil {
				t.Fatal(err)
			}
			key := testKey(t, "a+b%20c")
			hash, _, _ := strings.Cut(key, "/")
			link, err := s.URL(t.Context(), key, http.MethodGet)
			if want := c.want + hash + "/0/a%2Bb%20c"; err != nil || link.URL != want || link.Private {
				t.Errorf("URL gave %+v, %v, want %s", link, err, want)
			}
		})
	}
}

// A large upload whose origin is slow must not keep the memory that others wait for.
func TestSmallUploadsPassSlowLargeOnes(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	bucket := server.CreateBucket(t, "")
	buffers, err := s3store.NewBuffers(partBytes, 3*partBytes)
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t, server, bucket, func(o *s3store.Options) { o.Buffers = buffers })
	stalled, goOn := make(chan struct{}), make(chan struct{})
	slow := io.MultiReader(bytes.NewReader(body(4*partBytes)), readerFunc(func([]byte) (int, error) {
		close(stalled)
		<-goOn
		return 0, io.EOF
	}))
	large := make(chan error)
	go func() {
		_, err := s.Put(context.WithoutCancel(t.Context()), testKey(t, "large"), slow, storage.PutOptions{SizeBytes: -1})
		large <- err
	}()
	<-stalled
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 5 { // each of unknown length, and so of a whole buffer
		if _, err := s.Put(ctx, testKey(t, fmt.Sprint(i)), strings.NewReader("x"), storage.PutOptions{SizeBytes: -1}); err != nil {
			t.Error(err)
		}
	}
	close(goOn)
	if err := <-large; err != nil {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBuffersRefuseWhatCannotWork(t *testing.T) {
	if _, err := s3store.NewBuffers(1<<20, 64<<20); err == nil {
		t.Error("parts of 1 MiB are accepted, S3 wants 5")
	}
	if _, err := s3store.NewBuffers(16<<20, 8<<20); err == nil {
		t.Error("memory for half a part is accepted")
	}
}

func TestFrozenServerIsAnErrorInTime(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	s := newStore(t, server, server.CreateBucket(t, ""), func(o *s3store.Options) { o.Timeout = 100 * time.Millisecond })
	server.Stop()
	defer server.Continue()
	_, statErr := s.Stat(t.Context(), testKey(t, "x"))
	_, _, openErr := s.Open(t.Context(), testKey(t, "x"))
	_, putErr := s.Put(t.Context(), testKey(t, "x"), strings.NewReader("x"), storage.PutOptions{SizeBytes: 1})
	for call, err := range map[string]error{"Stat": statErr, "Open": openErr, "Put": putErr, "Delete": s.Delete(t.Context(), testKey(t, "x"))} {
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("%s gave %v, want a deadline that was exceeded", call, err)
		}
	}
}

// The answer to a HEAD does not tell that it is the bucket that is missing.
func TestProbeSeesAtOnceThatTheBucketIsGone(t *testing.T) {
	server := servers.StartVersityGW(t, "eu-west-1")
	bucket := server.CreateBucket(t, "")
	store, err := s3store.New(s3store.Options{Client: server.Client(), Bucket: bucket, Buffers: clauseBuffers(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(storage.ProbeWriting(t.Context(), store), storage.Probe(t.Context(), store)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client().DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if err := storage.Probe(t.Context(), store); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("got %v, want NoSuchBucket", err)
	}
}
