package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"cloudmirror"
	"cloudmirror/mirror"
)

// location asks for the object and returns where its copy is.
func (w *world) location(method string) string {
	w.t.Helper()
	resp := w.do(httptest.NewRequest(method, redirectPath(""), nil))
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Cache-Status") == "" {
		w.t.Fatalf("%s answered %s", method, resp.Status)
	}
	return resp.Header.Get("Location")
}

func TestAddressesAreRememberedPerGeneration(t *testing.T) {
	w := newWorld(t)
	w.present()
	first := w.location(http.MethodGet)
	if again := w.location(http.MethodHead); again != first || w.storages[east].links.Load() != 1 {
		t.Errorf("the copy at %s was then at %s, by %d links", first, again, w.storages[east].links.Load())
	}
	if err := w.mirror.Purge(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	w.present()
	if second := w.location(http.MethodGet); second == first {
		t.Errorf("a purged copy and the next one are both at %s", first)
	}
}

func TestSignedAddressesAreNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.storages[east].signs.Store(true)
	w.present()
	seen := make(map[string]bool)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		seen[w.location(method)] = true
	}
	if len(seen) != 3 {
		t.Errorf("three clients got the signed addresses %v", seen)
	}
}

// One raw target may be allowed in one service, and refused in another.
func TestRememberedTargetsAreThoseOfTheirBackend(t *testing.T) {
	w := newWorld(t)
	w.present()
	atEast := w.location(http.MethodGet)
	if _, err := w.mirror.Ensure(t.Context(), mirror.Want{Object: mustObject(originURL), Backend: west}); err != nil {
		t.Fatal(err)
	}
	w.copy(west)
	resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+west.String()+"/"+mustObject(originURL).Target(), nil))
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got == atEast {
		t.Errorf("the other region answered %s with %q", resp.Status, got)
	}
	for _, refused := range []string{"https://other.test/", "https://origin.test:99/"} {
		for range 2 {
			resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+east.String()+"/"+mustObject(refused).Target(), nil))
			if got := decode[body](t, resp); got.Code != string(cloudmirror.CodeURLNotAllowed) {
				t.Errorf("%s: %+v", refused, got)
			}
		}
	}
}
