package frontend_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudmirror"
)

// What cannot be explained is refused, with the address of another mirror or a copy
// for strangers as for operators.
func TestExplainErrors(t *testing.T) {
	const copyURL = publicURL + "/objects/s3/us-east-1/"
	own := copyURL + mustObject(originURL).StorageKey(cloudmirror.FirstGeneration)
	w := newWorld(t)
	for name, tt := range map[string]struct {
		path   string
		status int
		code   string
	}{
		"all regions":              {"s3/*/" + targetOf(originURL), 404, "UnknownBackend"},
		"an unknown region":        {"s3/nowhere/" + targetOf(originURL), 404, "UnknownBackend"},
		"an unknown service":       {"s4/us-east-1/" + targetOf(originURL), 404, "UnknownBackend"},
		"no target":                {"s3/us-east-1", 404, "NotFound"},
		"a URL of another mirror":  {"s3/us-east-1/" + targetOf("https://origin.test/v1/redirect/s3/us-east-1/"+targetOf(originURL)), 400, "InvalidURL"},
		"a URL of another service": {"s3/us-east-1/" + targetOf(publicURL+"/v1/redirect/s4/us-east-1/"+targetOf(originURL)), 400, "InvalidURL"},
		"a copy's address":         {"s3/us-east-1/" + targetOf(own), 400, "InvalidURL"},
	} {
		for _, authorization := range []string{"", "Bearer " + token} {
			resp := w.operate(http.MethodGet, "/v1/explain/"+tt.path, authorization, "")
			if got := decode[body](t, resp); resp.StatusCode != tt.status || got.Code != tt.code {
				t.Errorf("%s: status %d, %+v, want %d %s", name, resp.StatusCode, got, tt.status, tt.code)
			}
		}
	}
}

// A URL of this mirror is explained like the origin's in it.
func TestExplainTakesAMirrorsURL(t *testing.T) {
	w := newWorld(t)
	resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/explain/s3/us-east-1/"+targetOf(publicURL+redirectPath("")), nil))
	got := decode[struct {
		Target struct{ URL string }
		Answer struct{ Status int }
	}](t, resp)
	if resp.StatusCode != http.StatusOK || got.Target.URL != originURL || got.Answer.Status != http.StatusFound {
		t.Errorf("status %d, %+v", resp.StatusCode, got)
	}
}

// The options in a URL of this mirror count, as they did for the client who asked with
// it, unless the request has some of its own. What the redirect refuses is refused.
func TestExplainTakesTheOptionsOfAMirrorsURL(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]struct {
		own    string
		status int
		wait   float64
	}{
		"":                        {"", http.StatusFound, 28},
		"?fallback=none":          {"", http.StatusGatewayTimeout, 28},
		"?wait=5s&fallback=none":  {"", http.StatusGatewayTimeout, 5},
		"?wait=3s&fallback=none":  {"?wait=7s", http.StatusFound, 7},
		"?country=de":             {"", http.StatusBadRequest, 0},
		"?wait=soon":              {"", http.StatusBadRequest, 0},
		"?wait=1s&fallback=other": {"", http.StatusBadRequest, 0},
	} {
		path := "/v1/explain/s3/us-east-1/" + targetOf(publicURL+redirectPath("")+query) + want.own
		got := decode[explained](t, w.do(httptest.NewRequest(http.MethodGet, path, nil))).Answer
		if got.Status != want.status || got.WaitSeconds != want.wait {
			t.Errorf("%s, and %q of its own: %+v", query, want.own, got)
		}
	}
}

// Of ten thousand patterns operators learn the nearest one, whatever the URL is: each is
// run over a bounded text.
func TestTheNearestOfManyPatterns(t *testing.T) {
	patterns := make([]string, 10_000)
	for i := range patterns {
		patterns[i] = fmt.Sprintf(`^https://origin\.test/pool-%d/.*\.tar\.gz$`, i)
	}
	w := newWorld(t, allowing(t, patterns...))
	for name, tt := range map[string]struct{ url, nearest, matches string }{
		"a short URL": {"https://origin.test/pool-4711/x", patterns[4711], "https://origin.test/pool-4711/x"},
		"a long URL": {
			"https://origin.test/pool-4711/" + strings.Repeat("x", 8000), patterns[4711],
			"https://origin.test/pool-4711/" + strings.Repeat("x", 1024-len("https://origin.test/pool-4711/")),
		},
		"a URL of another host": {"https://elsewhere.test/pool-4711/x", "", ""}, // the scheme alone is near to none
	} {
		got := w.explainTarget(tt.url, "Bearer "+token)
		if got.Nearly.Pattern != tt.nearest || got.Nearly.Matches != tt.matches || got.Refused.Code != "URLNotAllowed" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// explainedPatterns is what an explanation tells of patterns.
type explainedPatterns struct {
	Pattern, Direct string
	Nearly          struct{ Pattern, Matches, Scheme string }
	Refused         struct{ Code, Cause string }
}

func (w *world) explainTarget(url, authorization string) explainedPatterns {
	w.t.Helper()
	resp := w.operate(http.MethodGet, "/v1/explain/s3/us-east-1/"+targetOf(url), authorization, "")
	return decode[struct{ Target explainedPatterns }](w.t, resp).Target
}

// Strangers learn of no pattern, whether it lets their URL in, nearly does or is one of
// direct URLs: its text may name private hosts and paths. They learn that the other
// scheme is let in, which a redirect tells them as well. Operators see the patterns.
func TestStrangersLearnNoPatterns(t *testing.T) {
	allow := []string{`^https://(origin|internal-artifacts\.corp)\.test/`, `^https://[^/]+\.corp\.test/secret-path/`}
	w := newWorld(t, allowing(t, allow...), direct(t))
	for url, operators := range map[string]explainedPatterns{
		originURL:                       {Pattern: allow[0], Direct: `^https://origin\.test/release/`},
		"https://x.corp.test/":          {},
		"https://x.corp.test/secret-":   {},
		"https://internal/":             {},
		"https://internal-artifacts.c/": {},
		"https://i.test/":               {},
		"http://origin.test/":           {},
	} {
		got := w.explainTarget(url, "")
		isSwapped := strings.HasPrefix(url, "http://")
		if got.Pattern != "" || got.Direct != "" || got.Nearly.Pattern != "" || got.Nearly.Matches != "" || got.Refused.Cause != "" || (got.Nearly.Scheme != "") != isSwapped {
			t.Errorf("a stranger who asks for %s learns %+v", url, got)
		}
		got = w.explainTarget(url, "Bearer "+token)
		switch {
		case operators.Pattern != "" && got != operators:
			t.Errorf("an operator who asks for %s learns %+v", url, got)
		case operators.Pattern == "" && got.Nearly.Pattern == "":
			t.Errorf("an operator who asks for %s learns no pattern: %+v", url, got)
		}
	}
}
