package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The promise of docs/benchmarks.md is four more; there is no reason for any.
func TestAHitAllocatesNoMoreThanBareEcho(t *testing.T) {
	w := newWorld(t)
	w.present()
	answer := httptest.NewRecorder()
	w.frontend.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, redirectPath(""), nil))
	echo := allocations(t, bareEcho(answer.Header(), answer.Body.String()), "")
	for name, isNear := range map[string]bool{"cache": false, "near cache": true} {
		w.near.isOn.Store(isNear)
		for _, rest := range []string{"", "/tool-1.0.tar.gz", "/a-name-without-a-dot-that-is-longer-than-32-bytes", "?wait=5s", "/tool?wait=5s&fallback=n%6Fne"} {
			got := allocations(t, w.frontend.Handler(), rest)
			t.Logf("%s, %q: %v allocations, bare Echo: %v", name, rest, got, echo)
			if got > echo {
				t.Errorf("%s, %q: %v allocations, bare Echo takes %v", name, rest, got, echo)
			}
		}
	}
}

// allocations counts those of one redirect, but for what every request takes.
func allocations(t *testing.T, handler http.Handler, rest string) float64 {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, redirectPath(rest), nil)
	return testing.AllocsPerRun(1000, func() {
		w := &sink{header: make(http.Header)}
		handler.ServeHTTP(w, r)
		if w.status != http.StatusFound {
			t.Fatal(w.status)
		}
	})
}
