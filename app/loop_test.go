package app_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/origin/origintest"
)

var backend = cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}

// anyPort returns a configuration that lets every origin on this host through.
func anyPort(t *testing.T, listen string, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load("", append(environ, "CLOUDMIRROR_ADMIN_LISTEN=127.0.0.1:0"), config.Overrides{
		Listen: listen, DataDir: filepath.Join(t.TempDir(), "data"), AllowAddresses: []string{"0.0.0.0/0", "::/0"}, Allow: []string{`^http://[^/]+/`},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func portOf(t *testing.T, address net.Addr) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func mustObject(t *testing.T, raw string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheProcessItselfIsNoOrigin(t *testing.T) {
	origin := origintest.Start(t)
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
		t.Run(listen, func(t *testing.T) {
			a, stop := start(t, anyPort(t, listen))
			front, admin := portOf(t, a.Addresses()[0]), portOf(t, a.Addresses()[1])
			for _, own := range []string{
				"http://127.0.0.1:" + front + "/objects/s3/us-east-1/x", "http://localhost:" + front + "/objects/s3/us-east-1/x",
				"http://0.0.0.0:" + front + "/", "http://[::ffff:127.0.0.1]:" + front + "/", "http://127.0.0.1:" + admin + "/metrics",
			} {
				status, _, body := get(t, mustObject(t, own).RedirectURL("http://127.0.0.1:"+front, backend))
				if status != http.StatusForbidden || !strings.Contains(body, "URLNotAllowed") || !strings.Contains(body, "address that is not allowed") {
					t.Errorf("%s: %d %s", own, status, body)
				}
			}
			status, header, body := get(t, origin.Object(t, "/a?size=10").RedirectURL("http://127.0.0.1:"+front, backend))
			if status != http.StatusFound || header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
				t.Errorf("an origin on another port: %d %s %s", status, header.Get("Cache-Status"), body)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A loop through a balancer, whose address nobody here knows, ends at CDN-Loop.
func TestALoopThroughABalancerEnds(t *testing.T) {
	origin := origintest.Start(t)
	a, stop := start(t, anyPort(t, "127.0.0.1:0"))
	front, err := url.Parse("http://" + a.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	fromCopier := make(chan int, 10) // statuses
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(front)
			r.SetXForwarded()
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Header.Get("CDN-Loop") != "" {
				fromCopier <- r.StatusCode
			}
			return nil
		},
	}
	balancer := httptest.NewServer(proxy)
	t.Cleanup(balancer.Close)

	copyOf := origin.Object(t, "/a?size=10")
	status, header, _ := get(t, copyOf.RedirectURL(balancer.URL, backend))
	if status != http.StatusFound {
		t.Fatalf("through the balancer: %d", status)
	}
	stored, err := url.Parse(header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	for name, looped := range map[string]string{
		"a redirect":             origin.Object(t, "/b?size=10").RedirectURL(balancer.URL, backend),
		"a redirect of a copy":   copyOf.RedirectURL(balancer.URL, backend),
		"a copy":                 balancer.URL + stored.Path,
		"a redirect, as a hop":   origin.URL + "/hop?redirect=" + url.QueryEscape(copyOf.RedirectURL(balancer.URL, backend)),
		"a redirect of redirect": mustObject(t, copyOf.RedirectURL(balancer.URL, backend)).RedirectURL(balancer.URL, backend),
	} {
		_, _, body := get(t, mustObject(t, looped).RedirectURL(balancer.URL, backend)+"?fallback=none")
		if n := len(fromCopier); n != 1 || !strings.Contains(body, "508") {
			t.Errorf("%s: copiers came %d times, and the client was answered %s", name, n, body)
			continue
		}
		if status := <-fromCopier; status != http.StatusLoopDetected {
			t.Errorf("%s: the copier was answered %d", name, status)
		}
	}
	if n := origin.Count(http.MethodGet, "/b"); n != 0 {
		t.Errorf("%d copiers got around the loop to the origin", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
