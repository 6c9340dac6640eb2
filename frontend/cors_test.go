package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/frontend"
)

const page, otherPage = "https://app.example.com", "https://evil.example.com"

func letIn(origins ...string) func(*frontend.Options) {
	return withService(func(s *frontend.Service) { s.CORS = origins })
}

// corsOf returns what an answer says to browsers.
func corsOf(resp *http.Response) map[string]string {
	said := make(map[string]string)
	for name := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			said[name] = strings.Join(resp.Header[name], "|")
		}
	}
	return said
}

// from is a request that a browser makes for the script of a page.
func from(origin, method, path string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", http.MethodGet)
		r.Header.Set("Access-Control-Request-Headers", "range")
	}
	return r
}

func TestScriptsMayReadRedirectsAndCopies(t *testing.T) {
	const (
		allow   = "Access-Control-Allow-Origin"
		exposed = "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Range, ETag, Cache-Status, Retry-After, X-Request-Id"
	)
	redirected := func(origin string) map[string]string { return map[string]string{allow: origin} }
	shown := func(origin string) map[string]string {
		return map[string]string{allow: origin, "Access-Control-Expose-Headers": exposed}
	}
	asked := func(origin string) map[string]string {
		return map[string]string{
			allow: origin, "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "7200",
			"Access-Control-Allow-Headers": "If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Range",
		}
	}
	ways := map[string]struct {
		method, path string
		status       int
		said         func(origin string) map[string]string
	}{
		"a redirect":                 {http.MethodGet, redirectPath(""), 302, redirected},
		"a redirect of HEAD":         {http.MethodHead, redirectPath("/tool-1.0.tar.gz"), 302, redirected},
		"a refused URL":              {http.MethodGet, "/v1/redirect/s3/us-east-1/https://elsewhere.test/x", 403, shown},
		"a region that is not there": {http.MethodGet, "/v1/redirect/s3/nowhere/https://origin.test/x", 404, shown},
		"the preflight of these":     {http.MethodOptions, redirectPath(""), 204, asked},
		"a copy":                     {http.MethodGet, "COPY", 200, shown},
		"a copy that is not there":   {http.MethodGet, "/objects/s3/us-east-1/x", 404, shown},
		"the preflight of a copy":    {http.MethodOptions, "COPY", 204, asked},
	}
	for name, tt := range map[string]struct {
		origins []string
		asks    string
		allowed string // "": no page
		varies  bool
	}{
		"every site, any page":         {[]string{"*"}, otherPage, "*", false},
		"every site, no page":          {[]string{"*"}, "", "*", false},
		"every site, redirected":       {[]string{"*"}, "null", "*", false},
		"two sites, a page of one":     {[]string{"https://a.example.com", page}, page, page, true},
		"one site, a page of another":  {[]string{page}, otherPage, "", true},
		"one site, no page":            {[]string{page}, "", "", true},
		"one site, redirected":         {[]string{page}, "null", "", true},
		"no site (the default)":        {nil, page, "", false},
		"one site, a longer name":      {[]string{page}, page + ".evil.test", "", true},
		"one site, in another writing": {[]string{page}, strings.ToUpper(page), "", true},
	} {
		w := newWorld(t, letIn(tt.origins...))
		w.present()
		location := w.do(httptest.NewRequest(http.MethodGet, redirectPath(""), nil)).Header.Get("Location")
		for what, way := range ways {
			t.Run(name+"/"+what, func(t *testing.T) {
				resp := w.do(from(tt.asks, way.method, strings.Replace(way.path, "COPY", strings.TrimPrefix(location, publicURL), 1)))
				want := map[string]string{}
				if tt.allowed != "" {
					want = way.said(tt.allowed)
				}
				if tt.varies {
					want["Vary"] = "Origin"
				}
				if diff := cmp.Diff(want, corsOf(resp)); diff != "" || resp.StatusCode != way.status {
					t.Errorf("status %d, want %d; (-want +got):\n%s", resp.StatusCode, way.status, diff)
				}
				if got := resp.Header.Get("Allow"); way.method == http.MethodOptions && got != "OPTIONS, GET, HEAD" {
					t.Errorf("Allow: %q", got)
				}
			})
		}
	}
}

// Whatever a page is allowed, it does not learn of the rest, nor change anything.
func TestScriptsNeverAdminister(t *testing.T) {
	w := newWorld(t, letIn("*"))
	w.present()
	for _, path := range []string{
		purgePath("*"), statusPath(east), "/v1/warm", "/v1/jobs/x", "/v1/backends", "/v1/dead-letters/s3/us-east-1", "/v1/dead-letters/s3/us-east-1/drop",
		"/v1/ping", "/metrics", "/readyz", "/status", "/", "/openapi.json", "/v1/redirect/nothing/x/y", "/objects/nothing/x/y", "/nothing",
	} {
		for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost, http.MethodDelete} {
			r := from(page, method, path)
			r.Header.Set("Authorization", "Bearer "+token)
			if got := corsOf(w.do(r)); len(got) > 0 {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
	}
	if got := corsOf(w.do(from(page, http.MethodDelete, redirectPath("")))); len(got) > 0 {
		t.Errorf("a method that is not allowed: %v", got)
	}
}

// With rules for pages a hit takes what it takes without.
func TestCORSTakesNoAllocations(t *testing.T) {
	measure := func(origins ...string) float64 {
		w := newWorld(t, letIn(origins...))
		w.present()
		r := from(page, http.MethodGet, redirectPath(""))
		return testing.AllocsPerRun(1000, func() {
			to := &sink{header: make(http.Header)}
			w.frontend.Handler().ServeHTTP(to, r)
			if to.status != http.StatusFound {
				t.Fatal(to.status)
			}
		})
	}
	without := measure()
	for name, origins := range map[string][]string{"every site": {"*"}, "the page's": {page}, "another": {otherPage}} {
		if got := measure(origins...); got > without {
			t.Errorf("%s: %v allocations, without rules %v", name, got, without)
		}
	}
}
