package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"cloudmirror"
	"cloudmirror/frontend"
)

// makeDirect has the test's object answered with its origin.
func makeDirect(t *testing.T) func(*frontend.Options) {
	return withService(func(s *frontend.Service) {
		s.Rules.Direct = []cloudmirror.AllowPattern{pattern(t, "^https://origin\\.test/release/"), pattern(t, "^https://elsewhere\\.test/")}
	})
}

// Cache, storage, probes and draining do not change where a client of a direct URL is sent.
func TestADirectURLIsAnsweredWithItsOrigin(t *testing.T) {
	for name, before := range map[string]func(*world){
		"without a copy":             func(*world) {},
		"with an old copy":           (*world).present,
		"with the cache down":        func(w *world) { w.cache.down.Store(true) },
		"while the process drains":   func(w *world) { w.frontend.Drain() },
		"after a failure of a copy":  func(w *world) { w.failed(notFoundAtOrigin()) },
		"with the near cache in use": func(w *world) { w.present(); w.near.isOn.Store(true) },
	} {
		for _, query := range []string{"", "?fallback=none", "?fallback=origin&wait=0", "/tool-1.0.tar.gz"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(name+"/"+query+"/"+method, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, makeDirect(t), withService(func(s *frontend.Service) {
							s.Backends[0].Reach, s.Backends[1].Reach = new(cutOff), new(cutOff)
						}))
						before(w)
						asked, jobs := w.cache.asked.Load(), w.jobs(east)
						want := expectation{status: 302, toOrigin: true, cacheStatus: "cloudmirror; fwd=bypass; detail=direct", outcome: "direct"}
						want.check(t, w, <-w.ask(method, query), method)
						if resp := <-w.ask(method, query); resp.Header.Get("Location") != originURL || w.counted("direct") != 2 {
							t.Errorf("asked again: %s, %v", resp.Status, resp.Header)
						}
						if w.cache.asked.Load() != asked || w.jobs(east) != jobs {
							t.Error("a copy was looked for, or asked for")
						}
					})
				})
			}
		}
	}
}

func TestOnlyDirectURLsAreAnsweredWithTheirOrigins(t *testing.T) {
	w := newWorld(t, makeDirect(t), withService(func(s *frontend.Service) { s.Wait = 0 }))
	ask := func(url string, header http.Header) (status int, cacheStatus string) {
		r := httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-east-1/"+mustObject(url).Target(), nil)
		r.Header = header
		resp := w.do(r)
		return resp.StatusCode, resp.Header.Get("Cache-Status")
	}
	for _, tt := range []struct {
		url    string
		header http.Header
		status int
		detail string
	}{
		{"https://origin.test/other", http.Header{}, 302, "wait-timeout"},
		{"https://elsewhere.test/x", http.Header{}, 403, "url-not-allowed"}, // direct, and not allowed
		{originURL, http.Header{"Cdn-Loop": {deploymentID}}, 508, "loop-detected"},
	} {
		if status, got := ask(tt.url, tt.header); status != tt.status || !strings.HasSuffix(got, "detail="+tt.detail) {
			t.Errorf("%s: %d, %s; want %d, %s", tt.url, status, got, tt.status, tt.detail)
		}
	}
}

func TestWhatElseIsDoneWithDirectURLs(t *testing.T) {
	w := newWorld(t, makeDirect(t))
	w.present()
	status := func(url string) map[string]any {
		return decode[map[string]any](t, w.do(httptest.NewRequest(http.MethodGet, "/v1/status/s3/us-east-1/"+mustObject(url).Target(), nil)))
	}
	if got := status(originURL); got["direct"] != any(true) || got["state"] != "present" {
		t.Errorf("the status is %v, want a copy that no client is sent to", got)
	}
	if got, found := status("https://origin.test/other")["direct"]; found {
		t.Errorf("the status of another URL says direct: %v", got)
	}
	payload := strings.Replace(warmPayload, `"urls":[`, `"urls":["https://origin.test/other",`, 1)
	resp := w.operate(http.MethodPost, "/v1/warm", "Bearer "+token, payload)
	got := decode[body](t, resp)
	if resp.StatusCode != http.StatusBadRequest || got.Code != "URLDirect" || !strings.Contains(got.Message, "urls[1] is direct") || w.jobs(east) != 0 {
		t.Errorf("warm: status %d, %+v, %d jobs", resp.StatusCode, got, w.jobs(east))
	}
	if resp := w.operate(http.MethodDelete, purgePath("us-east-1"), "Bearer "+token, ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("purge: status %d", resp.StatusCode)
	}
	if got := status(originURL); got["direct"] != any(true) || got["state"] != "absent" {
		t.Errorf("after the purge the status is %v", got)
	}
}

// Which URLs are direct is found out once for each target.
func TestADirectAnswerAllocatesNoMoreThanAHit(t *testing.T) {
	hits := newWorld(t)
	hits.present()
	hit := allocations(t, hits.frontend.Handler(), "")
	w := newWorld(t, makeDirect(t), withService(func(s *frontend.Service) { s.Wait = 0 }))
	if direct := allocations(t, w.frontend.Handler(), ""); direct > hit {
		t.Errorf("%v allocations, a hit takes %v", direct, hit)
	}
}
