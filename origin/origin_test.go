package origin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestMain(m *testing.M) {
	// A proxy that nobody runs, for all tests: net/http reads this only once.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// newClient returns a client that is patient with nobody.
func newClient(t testing.TB, o origin.Options) *origin.Client {
	t.Helper()
	if o.ResumeDelay == 0 {
		o.ResumeDelay = time.Millisecond
	}
	c := origin.New(o)
	t.Cleanup(c.Close)
	return c
}

// anywhere allows every URL, and the addresses of the test's own origin.
func anywhere(t testing.TB) origin.Rules {
	t.Helper()
	return origin.Rules{Allow: patterns(t, "^https?://"), AllowAddresses: origintest.Loopback()}
}

func patterns(t testing.TB, texts ...string) []cloudmirror.AllowPattern {
	t.Helper()
	var all []cloudmirror.AllowPattern
	for _, text := range texts {
		p, err := cloudmirror.ParseAllowPattern(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func object(t testing.TB, url string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return o
}

// fetch gets an object and reads it to its end.
func fetch(t testing.TB, c *origin.Client, rules origin.Rules, o cloudmirror.Object) ([]byte, *origin.Response, error) {
	t.Helper()
	response, err := c.Get(t.Context(), rules, o)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return body, response, err
}

// wantFailure checks that err is a failure as wanted, by Code and Permanent and,
// if it is not 0, Status.
func wantFailure(t testing.TB, err error, want cloudmirror.Failure) *cloudmirror.Failure {
	t.Helper()
	got, ok := errors.AsType[*cloudmirror.Failure](err)
	if !ok {
		t.Fatalf("got %v, want a failure %s", err, want.Code)
	}
	if got.Code != want.Code || got.Permanent != want.Permanent || want.Status != 0 && got.Status != want.Status {
		t.Errorf("got %s (status %d, permanent %t), want %s (%d, %t): %v",
			got.Code, got.Status, got.Permanent, want.Code, want.Status, want.Permanent, got)
	}
	if got.Message == "" {
		t.Error("the failure says nothing to clients")
	}
	return got
}

func TestGetReadsWholeObjects(t *testing.T) {
	tests := map[string]struct {
		query    string
		size     int64
		unlisted bool // the origin does not say how long it is
	}{
		"empty":                     {"?size=0", 0, false},
		"one byte":                  {"?size=1", 1, false},
		"three megabytes":           {"?size=3000000", 3_000_000, false},
		"chunked without length":    {"?size=100000&chunked=true", 100_000, true},
		"chunked and empty":         {"?size=0&chunked=true", 0, true},
		"head refused":              {"?size=1000&head-status=405", 1000, false},
		"through five redirects":    {"?size=1000&hops=5", 1000, false},
		"by connection with digest": {"?size=1000&close-delimited=true&digests=digest", 1000, true},
		"slow, but not idle":        {"?size=1000&rate=1000", 1000, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			c := newClient(t, origin.Options{IdleTimeout: 600 * time.Millisecond}) // less than the slow one takes
			body, response, err := fetch(t, c, anywhere(t), server.Object(t, "/file.bin"+test.query))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(body, origintest.Bytes("/file.bin", test.size)) {
				t.Errorf("the %d bytes are not those of the object", len(body))
			}
			wantSize := test.size
			if test.unlisted {
				wantSize = -1
			}
			if response.SizeBytes != wantSize {
				t.Errorf("size %d, want %d", response.SizeBytes, wantSize)
			}
			if n := server.Count(http.MethodHead, "/file.bin"); n != 0 {
				t.Errorf("%d HEAD requests", n)
			}
		})
	}
}

func TestGetSpeaksHTTP2(t *testing.T) {
	server := origintest.StartTLS(t)
	c := newClient(t, origin.Options{RootCAs: pool(server)})
	body, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?size=200000&chunked=true"))
	if err != nil || !bytes.Equal(body, origintest.Bytes("/a", 200_000)) {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if proto := server.Requests()[0].Proto; proto != "HTTP/2.0" {
		t.Errorf("spoke %s", proto)
	}
	_, _, err = fetch(t, c, anywhere(t), server.Object(t, "/b?size=200000&chunked=true&cut-after=1000&no-etag=true&no-date=true"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable})
}

func TestGetKeepsContentCodings(t *testing.T) {
	server := origintest.Start(t)
	body, response, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?size=5000&gzip=true&digests=repr-digest"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, origintest.GzipBytes("/a", 5000)) {
		t.Error("the body is not the gzip file that the origin sent")
	}
	if got := response.Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("Content-Encoding %q", got)
	}
}

func TestRequestSaysWhoAsksAndNothingMore(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{UserAgent: "test/1", DeploymentID: "deployment-1"})
	server.Set("/a", origintest.Behaviour{Redirect: "/b", Header: map[string][]string{"Set-Cookie": {"a=b"}}})
	if _, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?secret=x")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "test/1", "Cdn-Loop": "deployment-1",
	}
	for _, request := range server.Requests() {
		if request.Method != http.MethodGet {
			t.Errorf("method %s", request.Method)
		}
		for name := range request.Header {
			if request.Header.Get(name) != want[name] {
				t.Errorf("%s: header %s: %q, want %q", request.Target, name, request.Header.Get(name), want[name])
			}
		}
		if len(request.Header) != len(want) {
			t.Errorf("%s: %d headers, want %d", request.Target, len(request.Header), len(want))
		}
	}
}

func TestProxiesOfTheEnvironmentAreNotAsked(t *testing.T) {
	server := origintest.Start(t)
	// By name, for net/http asks no proxy for the loopback addresses.
	secure := origintest.StartTLS(t)
	c := newClient(t, origin.Options{RootCAs: pool(secure), Resolver: origintest.Resolver(func(string) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})})
	for _, url := range []string{"http://name.test:" + port(t, server) + "/", "https://example.com:" + port(t, secure) + "/"} {
		if _, _, err := fetch(t, c, anywhere(t), object(t, url)); err != nil {
			t.Error(err)
		}
	}
}

func TestRequestTargetIsTheURLByteForByte(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	for _, target := range []string{
		"/", "//a//b/", "/a/.b/c..", "/%7Ea%2fb%2Fc", "/a?", "/a?b?c=%20;d&&", "/a+b;c=d,e@f:g!$&'()*", "/[x]?[y]",
	} {
		if _, _, err := fetch(t, c, anywhere(t), server.Object(t, target)); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		requests := server.Requests()
		if got := requests[len(requests)-1].Target; got != target {
			t.Errorf("asked for %s, want %s", got, target)
		}
	}
}

func TestConnectionsAreNotSharedAcrossAddressRules(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	if _, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a")); err != nil {
		t.Fatal(err)
	}
	// By name, so that only the connection can tell the address.
	strict := origin.Rules{Allow: patterns(t, "^https?://")}
	byName := object(t, "http://localhost:"+port(t, server)+"/a")
	if _, _, err := fetch(t, c, anywhere(t), byName); err != nil {
		t.Fatal(err)
	}
	_, _, err := fetch(t, c, strict, byName)
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
}

func TestGetEndsWithItsContext(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	t.Run("waiting for the answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := c.Get(ctx, anywhere(t), server.Object(t, "/hang?hang=true"))
		if wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeInternal}); !errors.Is(err, context.Canceled) {
			t.Errorf("the cause of %v is not that the context ended", err)
		}
	})
	t.Run("reading the body", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		response, err := c.Get(ctx, anywhere(t), server.Object(t, "/stall?size=1000&stall-after=10"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = io.ReadAll(response.Body)
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeInternal})
		if n := server.Count(http.MethodGet, "/stall"); n != 1 {
			t.Errorf("%d requests: a stopped copy was continued", n)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, anywhere(t), server.Object(t, "/hang?hang=true"))
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout})
	})
}

func TestSlowOriginsTimeOut(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{FirstByteTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond})
	for name, path := range map[string]string{
		"no answer":         "/a?hang=true",
		"no first byte":     "/b?size=1000&body-delay=1m&no-ranges=true",
		"stops in the body": "/c?size=1000&stall-after=100&no-ranges=true",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := fetch(t, c, anywhere(t), server.Object(t, path))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout})
		})
	}
}

func TestIdleStreamOfHTTP2TimesOut(t *testing.T) {
	server := origintest.StartTLS(t)
	c := newClient(t, origin.Options{RootCAs: pool(server), IdleTimeout: 50 * time.Millisecond})
	_, _, err := fetch(t, c, anywhere(t), server.Object(t, "/c?size=1000&stall-after=100&no-ranges=true"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout})
}

func TestTimeBetweenReadsIsNotIdleTime(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{IdleTimeout: 500 * time.Millisecond})
	response, err := c.Get(t.Context(), anywhere(t), server.Object(t, "/a?size=100000&no-ranges=true"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, 10); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Second) // a consumer that is busy
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Errorf("after a pause of the consumer: %v", err)
	}
}

func TestClosedBodyIsNotWhole(t *testing.T) {
	server := origintest.Start(t)
	response, err := newClient(t, origin.Options{}).Get(t.Context(), anywhere(t), server.Object(t, "/a?size=100"))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	_, err = response.Body.Read(make([]byte, 10))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeInternal})
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
}
