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
	echo := allocations(t, bareEcho(answer.Header(), answer.Body.String()))
	for name, isNear := range map[string]bool{"cache": false, "near cache": true} {
		w.near.isOn.Store(isNear)
		got := allocations(t, w.frontend.Handler())
		t.Logf("%s: %v allocations, bare Echo: %v", name, got, echo)
		if got > echo {
			t.Errorf("%s: %v allocations, bare Echo takes %v", name, got, echo)
		}
	}
}

// allocations counts those of one redirect, but for what every request takes.
func allocations(t *testing.T, handler http.Handler) float64 {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, redirectPath(""), nil)
	return testing.AllocsPerRun(1000, func() {
		w := &sink{header: make(http.Header)}
		handler.ServeHTTP(w, r)
		if w.status != http.StatusFound {
			t.Fatal(w.status)
		}
	})
}
