package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// A wiretap stands before an S3 server and notes its requests.
type wiretap struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method and the kind of key
}

func startWiretap(t *testing.T, s3 *servers.S3) *wiretap {
	t.Helper()
	target, err := url.Parse(s3.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := new(wiretap)
	// The host stays as it is: it is signed.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
	}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		kind := "copy"
		if strings.HasSuffix(r.URL.Path, "/generation") {
			kind = "marker"
		}
		w.mu.Lock()
		w.seen = append(w.seen, r.Method+" "+kind)
		w.mu.Unlock()
		proxy.ServeHTTP(answer, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// take returns the requests since it was last called, sorted.
func (w *wiretap) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.seen = nil }()
	return slices.Sorted(slices.Values(w.seen))
}

// A miss looks for the copy and the marker at once, and puts the copy. Nothing is
// asked again: the look is made while the object is reserved (docs/design.md).
func TestRequestsToS3OfASmallCopy(t *testing.T) {
	s3 := servers.StartVersityGW(t, "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", s3.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3.SecretKey)
	tap := startWiretap(t, s3)
	origin := origintest.Start(t)
	c := load(t, origin)
	c.Services[0].Backends[0].Storage = config.Storage{
		Type: config.StorageS3, Bucket: s3.CreateBucket(t, ""), Region: "us-east-1", Endpoint: tap.URL, PathStyle: true, Presign: true,
	}
	a, stop := start(t, c)
	ask := func(path, want string) {
		t.Helper()
		url := origin.Object(t, path).RedirectURL("http://"+a.Addresses()[0].String(), cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})
		if status, header, body := get(t, url); status != http.StatusFound || header.Get("Cache-Status") != want {
			t.Fatalf("%d %s %s", status, header.Get("Cache-Status"), body)
		}
	}
	ask("/first?size=10000", "cloudmirror; fwd=miss; stored")
	t.Logf("the first object, with what health asks: %v", tap.take())
	ask("/second?size=10000", "cloudmirror; fwd=miss; stored")
	if got, want := tap.take(), []string{"GET marker", "HEAD copy", "PUT copy"}; !slices.Equal(got, want) {
		t.Errorf("a miss makes the requests %v, want %v", got, want)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
