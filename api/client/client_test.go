package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
)

const token = "the-token-of-an-operator"

// serve starts a server and returns a client of it.
func serve(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := client.New(client.Options{Server: server.URL + "/", Token: token, UserAgent: "cloudmirror/test"})
	t.Cleanup(c.Close)
	return c
}

// calls returns a call of each method but Ready, whose answer has no form.
func calls(t *testing.T, c *client.Client) map[string]func(context.Context) error {
	t.Helper()
	o, err := cloudmirror.ParseObject("https://example.com/file?a=b&c")
	if err != nil {
		t.Fatal(err)
	}
	b := cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}
	return map[string]func(context.Context) error{
		"Status":      func(ctx context.Context) error { _, err := c.Status(ctx, b, o); return err },
		"Explain":     func(ctx context.Context) error { _, err := c.Explain(ctx, b, o.Target()); return err },
		"Purge":       func(ctx context.Context) error { _, err := c.Purge(ctx, b, o); return err },
		"Backends":    func(ctx context.Context) error { _, err := c.Backends(ctx); return err },
		"Job":         func(ctx context.Context) error { _, err := c.Job(ctx, "a/b"); return err },
		"DeadLetters": func(ctx context.Context) error { _, err := c.DeadLetters(ctx, b, 7); return err },
		"DeadLetter":  func(ctx context.Context) error { _, err := c.DeadLetter(ctx, b, "1&limit=2"); return err },
		"Warm": func(ctx context.Context) error {
			_, err := c.Warm(ctx, api.WarmRequest{Service: "s3", URLs: []string{o.URL()}, Partial: true})
			return err
		},
		"Redrive": func(ctx context.Context) error {
			_, err := c.Redrive(ctx, b, api.DeadLetterChoice{All: true})
			return err
		},
		"Drop": func(ctx context.Context) error {
			_, err := c.Drop(ctx, b, api.DeadLetterChoice{IDs: []string{"1"}})
			return err
		},
	}
}

func TestRequests(t *testing.T) {
	const target = "aHR0cHM6Ly9leGFtcGxlLmNvbS9maWxlP2E9YiZj"
	want := map[string]string{
		"Status":      "GET /v1/status/s3/us-east-1/" + target + " ",
		"Explain":     "GET /v1/explain/s3/us-east-1/" + target + " ",
		"Purge":       "DELETE /v1/purge/s3/us-east-1/" + target + " ",
		"Backends":    "GET /v1/backends ",
		"Warm":        `POST /v1/warm {"service":"s3","urls":["https://example.com/file?a=b&c"],"partial":true}`,
		"Job":         "GET /v1/jobs/a%2Fb ",
		"DeadLetters": "GET /v1/dead-letters/s3/us-east-1?limit=7 ",
		"DeadLetter":  "GET /v1/dead-letters/s3/us-east-1?full=true&id=1%26limit%3D2 ",
		"Redrive":     `POST /v1/dead-letters/s3/us-east-1/redrive {"all":true}`,
		"Drop":        `POST /v1/dead-letters/s3/us-east-1/drop {"ids":["1"]}`,
	}
	type request struct {
		text   string
		header http.Header
	}
	asked := make(chan request, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- request{r.Method + " " + r.RequestURI + " " + strings.TrimSuffix(string(body), "\n"), r.Header}
		w.WriteHeader(http.StatusTeapot)
	})
	for name, call := range calls(t, c) {
		err := call(t.Context())
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusTeapot {
			t.Fatalf("%s: error %v", name, err)
		}
		r := <-asked
		if r.text != want[name] {
			t.Errorf("%s: %s\nis not %s", name, r.text, want[name])
		}
		h := r.header
		if h.Get("Authorization") != "Bearer "+token || h.Get("User-Agent") != "cloudmirror/test" || h.Get("Accept") != "application/json" ||
			(h.Get("Content-Type") == "application/json") != strings.HasPrefix(r.text, "POST") {
			t.Errorf("%s: header %v", name, h)
		}
	}
}

// A server may be anything: what it answers is an error, and no more than a part of it
// is read.
func TestHostileServers(t *testing.T) {
	const limit = 4 * client.MaxAnswerBytes // where the endless body ends after all, for a client without a bound
	var endless atomic.Int64
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string // a part of each error
	}{
		"a page of HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>hello</html>")
		}, ""},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, ""},
		"half a JSON": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":"1","backends":[{"service":`)
		}, ""},
		"another shape": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[[[`) }, ""},
		"a body that is cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{}`)
		}, "read the answer of http://127.0.0.1:"},
		"a body without an end": {func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat(" ", 1<<20))
			for n := int64(0); n < limit; n += int64(len(block)) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
			endless.Add(1)
		}, ""},
		"control characters": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"A\u001b","message":"B\u001b","request_id":"C\u001b"}`)
		}, `"A\x1b": "B\x1b" (HTTP 404, request "C\x1b")`},
		"an error without a code": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, `{"message":"no"}`)
		}, "the answer is not in the form of cloudmirror (HTTP 502)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, test.answer)
			for method, call := range calls(t, c) {
				err := call(t.Context())
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.ContainsRune(err.Error(), '\x1b') {
					t.Errorf("%s: error %v, want one with %q", method, err, test.want)
				}
			}
		})
	}
	if n := endless.Load(); n > 0 {
		t.Errorf("%d clients read a body of %d bytes to its end", n, int64(limit))
	}
}

// The token is for one server. A redirect to another is an error, and not followed.
func TestATokenDoesNotFollowARedirect(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var strangers atomic.Int64
		stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1), status)
		})
		for method, call := range calls(t, c) {
			if err := call(t.Context()); err == nil || !strings.Contains(err.Error(), "the answer is a redirect, which is not followed") {
				t.Errorf("%s, %d: error %v", method, status, err)
			}
		}
		if _, err := c.Ready(t.Context()); err == nil {
			t.Errorf("Ready, %d: no error", status)
		}
		stranger.Close()
		if n := strangers.Load(); n > 0 {
			t.Errorf("%d: the other server got %d requests", status, n)
		}
	}
}

func TestReady(t *testing.T) {
	var status atomic.Int64
	status.Store(http.StatusOK)
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "ready\ncache: ok\nstorage s3/r: not checked yet\ncopiers s3/r: not known: why\nqueue s3/r: it is down: why\nno line\n")
	})
	want := api.Readiness{Ready: true, State: "ready", Dependencies: []api.ReadyState{
		{Name: "cache", State: "ok"},
		{Name: "storage s3/r", State: "not checked yet"},
		{Name: "copiers s3/r", State: "not known: why"},
		{Name: "queue s3/r", State: "it is down: why"},
	}}
	got, err := c.Ready(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for i, isDown := range []bool{false, false, false, true} {
		if d := got.Dependencies[i]; d.IsDown() != isDown {
			t.Errorf("%+v is down: %v", d, !isDown)
		}
	}
	status.Store(http.StatusServiceUnavailable)
	if got, err := c.Ready(t.Context()); err != nil || got.Ready || got.State != "ready" {
		t.Errorf("with 503: %+v, %v", got, err)
	}
	status.Store(http.StatusNotFound)
	if _, err := c.Ready(t.Context()); err == nil || err.Error() != "HTTP 404" {
		t.Errorf("with 404: %v", err)
	}
}
