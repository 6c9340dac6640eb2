package frontend_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/frontend"
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
	if _, err := w.engine.Purge(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	w.present()
	if second := w.location(http.MethodGet); second == first {
		t.Errorf("a purged copy and the next one are both at %s", first)
	}
}

func TestAddressesAreRememberedPerEpoch(t *testing.T) {
	w := newWorld(t)
	w.present()
	w.location(http.MethodGet)
	w.frontend.RaiseAddressEpoch()
	for range 2 {
		w.location(http.MethodGet)
		if got := w.storages[east].links.Load(); got != 2 {
			t.Errorf("the address was asked for %d times, want once in each of 2 epochs", got)
		}
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
	if _, err := w.engine.Wait(t.Context(), engine.Want{Object: mustObject(originURL), Backend: west}, engine.Patience{}); err != nil {
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

// A door answers by its own policy, whatever is remembered of the same target behind
// another one. A host without a door gets in by that for any host.
func TestTargetsAreRememberedPerDoor(t *testing.T) {
	w := newWorld(t)
	w.present()
	w.frontend.AddDoorWithoutCopies("files.test")
	atCopy := w.location(http.MethodGet)
	for range 2 { // not remembered, and then remembered
		for host, want := range map[string]string{"files.test": originURL, "mirror.test": atCopy, "unknown.test": atCopy} {
			r := httptest.NewRequest(http.MethodGet, redirectPath(""), nil)
			r.Host = host
			if got := w.do(r).Header.Get("Location"); got != want {
				t.Errorf("%s leads to %s, want %s", host, got, want)
			}
		}
	}
	explain := httptest.NewRequest(http.MethodGet, "/v1/explain/"+east.String()+"/"+mustObject(originURL).Target(), nil)
	explain.Host = "files.test"
	if got := decode[struct{ Excluded []struct{ Reason string } }](t, w.do(explain)); len(got.Excluded) != 1 || got.Excluded[0].Reason != "region-unreachable" {
		t.Errorf("explained places that are excluded: %+v", got.Excluded)
	}
	if got := w.frontend.KnownTargets(); got != 2 {
		t.Errorf("%d targets are remembered, want one for each of 2 doors", got)
	}
}

// A fleet whose clients write a file name each must not push out what is
// remembered of other targets, and no name may lead to what another target is.
func TestFileNamesAreNotRemembered(t *testing.T) {
	w := newWorld(t, withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow }))
	ask := func(rest string) string {
		t.Helper()
		resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+east.String()+"/"+rest, nil))
		if resp.StatusCode != http.StatusFound {
			return resp.Status
		}
		return resp.Header.Get("Location")
	}
	const url = "https://origin.test/abc" // three base64 digits over: some names make another URL of it
	target := mustObject(url).Target()
	if len(target)%4 != 3 {
		t.Fatal("the target has no digits over")
	}
	for _, same := range []string{"/a.whl", "/b.whl", "/tool", "/a%2Fb.c", "", "/another+name.x"} {
		if got := ask(target + same); got != url || w.frontend.KnownTargets() != 1 {
			t.Errorf("%s: %s; %d targets are remembered, want 1", same, got, w.frontend.KnownTargets())
		}
	}
	for range 2 { // not remembered, and then perhaps
		for rest, want := range map[string]string{
			target + "/YWFh":                        url + "?aaa",
			target + "/":                            url + "?",
			target + "?rev=1":                       url + "?rev=1",
			target + "/a.whl?rev=1":                 url + "?rev=1",
			target + "/b.whl?rev=2":                 url + "?rev=2",
			target + "?":                            url,
			target + "/a/b.whl":                     "400 Bad Request",
			target + "/a.whl/":                      "400 Bad Request",
			target + "/a.whl?wait=x":                "400 Bad Request",
			url:                                     url,
			url + "/a.whl":                          url + "/a.whl",
			"https%3A%2F%2Forigin.test%2Fabc":       url,
			"https%3A%2F%2Forigin.test%2Fabc/a.whl": url + "/a.whl",
			"https%3A//origin.test/abc":             url,
			"https%3A//origin.test/abc/a.whl":       url + "/a.whl",
			"https%3A//origin.test/abc?rev=1":       url + "?rev=1",
		} {
			if got := ask(rest); got != want {
				t.Errorf("%s leads to %s, want %s", rest, got, want)
			}
		}
	}
	before := w.frontend.KnownTargets()
	for i := range 100 {
		for _, query := range []string{"", "?wait=5s", "?rev=1"} {
			ask(fmt.Sprintf("%s/name-%d.whl%s", target, i, query))
		}
		ask(fmt.Sprintf("%s/%%41name%d", target, i)) // not recalled, and not remembered either
		w.do(httptest.NewRequest(http.MethodGet, fmt.Sprintf("http://mirror.test/v1/redirect/%s/%s/name-%d.whl", east, target, i), nil))
	}
	if got := w.frontend.KnownTargets(); got != before+1 { // that with ?wait=5s
		t.Errorf("%d targets are remembered, %d were before", got, before)
	}
}
