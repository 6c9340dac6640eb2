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
		Target struct{ URL, Pattern string }
		Answer struct{ Status int }
	}](t, resp)
	if resp.StatusCode != http.StatusOK || got.Target.URL != originURL || got.Target.Pattern == "" || got.Answer.Status != http.StatusFound {
		t.Errorf("status %d, %+v", resp.StatusCode, got)
	}
}

// Ten thousand patterns, and URLs as long as they may be, cost no more than a redirect
// that is refused costs in magnitude: each pattern is run over a bounded text.
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
		"a URL of another host": {"https://elsewhere.test/pool-4711/x", "", ""},
	} {
		resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/explain/s3/us-east-1/"+targetOf(tt.url), nil))
		got := decode[struct {
			Target struct {
				Nearly  struct{ Pattern, Matches string }
				Refused struct{ Code string }
			}
		}](t, resp).Target
		if got.Nearly.Pattern != tt.nearest || got.Nearly.Matches != tt.matches || got.Refused.Code != "URLNotAllowed" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A stranger learns of no pattern by asking for hosts that are spelt nearly like its
// own; an operator does.
func TestStrangersLearnNoHostsOfPatterns(t *testing.T) {
	w := newWorld(t, allowing(t, `^https://internal-artifacts\.corp\.test/`, `^https://[^/]+\.corp\.test/secret-path/`))
	nearest := func(url, authorization string) string {
		resp := w.operate(http.MethodGet, "/v1/explain/s3/us-east-1/"+targetOf(url), authorization, "")
		return decode[struct {
			Target struct{ Nearly struct{ Pattern string } }
		}](t, resp).Target.Nearly.Pattern
	}
	for _, url := range []string{"https://i.test/", "https://internal/", "https://internal-artifacts.corp.tes/", "http://internal/", "https://corp.test/"} {
		if got := nearest(url, ""); got != "" {
			t.Errorf("a stranger who asks for %s learns of %s", url, got)
		}
	}
	if got := nearest("https://internal/", "Bearer "+token); got != `^https://internal-artifacts\.corp\.test/` {
		t.Errorf("an operator learns of %q", got)
	}
}
