package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/frontend"
)

// Real pip writes the colon of a URL in a path as %3A, and leaves its query.
func TestTheOriginsQueryIsAPartOfTheObject(t *testing.T) {
	w := newWorld(t, withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow }))
	for _, form := range []string{"https%3A//origin.test/f.whl", mustObject("https://origin.test/f.whl").Target(), mustObject("https://origin.test/f.whl").Target() + "/f.whl"} {
		for _, query := range []string{"?rev=1", "?rev=2"} {
			want := "https://origin.test/f.whl" + query
			resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-east-1/"+form+query, nil))
			if got := resp.Header.Get("Location"); got != want {
				t.Errorf("%s%s redirects to %s, want %s", form, query, got, want)
			}
			resp = w.do(httptest.NewRequest(http.MethodGet, "/v1/status/s3/us-east-1/"+form+query, nil))
			if got := decode[map[string]any](t, resp)["url"]; got != want {
				t.Errorf("%s%s has the status of %s, want %s", form, query, got, want)
			}
		}
	}
}

// An option that means nothing where it stands is never passed over.
func TestReservedOptionsAreRefusedWhereTheyMeanNothing(t *testing.T) {
	w := newWorld(t, withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow }))
	w.present()
	purge := func(region string) string { return "DELETE /v1/purge/s3/" + region + "/" }
	doors := map[string][]string{ // the options that mean nothing there
		"GET /v1/redirect/s3/us-east-1/":  {"country", "avoid", "explain", "ip", "ipv"},
		"HEAD /v1/redirect/s3/eu-west-1/": {"country", "avoid", "explain", "ip", "ipv"},
		"GET /v1/status/s3/us-east-1/":    {"wait", "fallback", "country", "avoid", "explain", "ip", "ipv"},
		purge("us-east-1"):                {"wait", "fallback", "country", "avoid", "explain", "ip", "ipv"},
		purge("*"):                        {"wait", "fallback", "country", "avoid", "explain", "ip", "ipv"},
	}
	for door, options := range doors {
		method, prefix, _ := strings.Cut(door, " ")
		for _, option := range options {
			for _, query := range []string{"?" + option + "=1s", "/tool.tar.gz?" + option, "?%" + hexOf(option[0]) + option[1:] + "=none"} {
				resp := w.operate(method, prefix+mustObject(originURL).Target()+query, "Bearer "+token, "")
				if resp.StatusCode != http.StatusBadRequest {
					t.Errorf("%s…%s: %s", door, query, resp.Status)
					continue
				}
				if method == http.MethodHead {
					continue
				}
				got := decode[body](t, resp)
				if got.Code != "InvalidOption" || !strings.Contains(got.Message, "option "+option+" has no meaning here") || !strings.Contains(got.Message, "allowed") {
					t.Errorf("%s…%s: %+v", door, query, got)
				}
			}
		}
	}
	if got := w.location(http.MethodGet); !strings.Contains(got, "/"+string(cloudmirror.FirstGeneration)+"/") {
		t.Errorf("a refused purge left %s", got)
	}
}

func hexOf(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// A query that belongs to the URL purges that object, and no other.
func TestPurgeOfAnObjectWithAQueryBehindIt(t *testing.T) {
	path, query, _ := strings.Cut(originURL, "?")
	target := "/v1/purge/s3/us-east-1/" + mustObject(path).Target() + "/any.name"
	for rest, purged := range map[string]bool{"": false, "?": false, "?signature=other": false, "?" + query: true} {
		w := newWorld(t)
		w.present()
		if resp := w.operate(http.MethodDelete, target+rest, "Bearer "+token, ""); resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %s", rest, resp.Status)
		}
		resp := w.do(httptest.NewRequest(http.MethodGet, statusPath(east), nil))
		if got := decode[map[string]any](t, resp)["state"]; (got == "absent") != purged {
			t.Errorf("after a purge of …%s the object is %v", rest, got)
		}
	}
}
