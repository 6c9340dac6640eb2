package frontend_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/storage"
)

type regionReport struct{ Region, Result, Cause, Next string }

type purgeReport struct {
	URL, Hash, Service, Code, Message string
	Regions                           []regionReport
}

// report purges what target names, and returns the status and the report.
func (w *world) report(region, target string) (int, purgeReport) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodDelete, "/v1/purge/s3/"+region+"/"+target, nil)
	r.Host = "asked.test"
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "text/html, application/json;q=0.9")
	resp := w.do(r)
	return resp.StatusCode, decode[purgeReport](w.t, resp)
}

// copyTo has the copy of originURL made in a region.
func (w *world) copyTo(id cloudmirror.BackendID) {
	w.t.Helper()
	if _, err := w.engine.Wait(w.t.Context(), engine.Want{Object: mustObject(originURL), Backend: id}, engine.Patience{}); err != nil {
		w.t.Fatal(err)
	}
	w.copy(id)
}

// addressOf returns the address of the first copy of originURL in a region.
func (w *world) addressOf(id cloudmirror.BackendID) string {
	w.t.Helper()
	link, err := w.storages[id].URL(w.t.Context(), mustObject(originURL).StorageKey(cloudmirror.FirstGeneration), http.MethodGet)
	if err != nil {
		w.t.Fatal(err)
	}
	return link.URL
}

// has reports whether the first copy of originURL is stored in a region.
func (w *world) has(id cloudmirror.BackendID) bool {
	_, err := w.storages[id].Stat(w.t.Context(), mustObject(originURL).StorageKey(cloudmirror.FirstGeneration))
	return err == nil
}

func inBase64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// addresses returns what people copy from logs for originURL, by what it is.
func (w *world) addresses() map[string]string {
	o := mustObject(originURL)
	key := storage.EscapeKey(o.StorageKey(cloudmirror.FirstGeneration))
	return map[string]string{
		"the origin's URL":                         originURL,
		"a mirror's URL":                           o.RedirectURL(publicURL, west),
		"a mirror's URL with options":              o.RedirectURL(publicURL, east) + "?wait=0&fallback=none",
		"a mirror's URL, literal":                  publicURL + "/v1/redirect/s3/us-east-1/" + originURL,
		"a mirror's URL, slashes merged":           publicURL + "/v1/redirect/s3/us-east-1/" + strings.Replace(originURL, "://", ":/", 1),
		"a mirror's URL, percent-encoded":          publicURL + "/v1/redirect/s3/us-east-1/" + url.QueryEscape(originURL),
		"a mirror's URL of the name asked":         o.RedirectURL("https://Asked.test:443", east),
		"a copy's address":                         w.addressOf(east),
		"a copy's signed address":                  w.addressOf(east) + "?X-Amz-Signature=abc",
		"a copy's address by the name asked":       "https://asked.test/objects/s3/us-east-1/" + key,
		"a bucket's address, virtual-hosted":       "https://copies.s3.us-east-1.amazonaws.com/pre/fix/" + key,
		"a bucket's address, path style":           "http://127.0.0.1:9000/copies/" + key,
		"a bucket's address that patterns allow":   "https://origin.test/copies/" + key,
		"a bucket's address, encoded in other way": "https://origin.test/" + strings.Replace(key, "tool", "%74ool", 1),
	}
}

func TestPurgeTakesEveryAddressOfACopy(t *testing.T) {
	for name := range newWorld(t).addresses() {
		t.Run(name, func(t *testing.T) {
			for _, form := range []func(string) string{inBase64, func(raw string) string { return raw }} {
				w := newWorld(t)
				address := w.addresses()[name]
				w.copyTo(east)
				status, got := w.report("*", form(address))
				want := []regionReport{{Region: "eu-west-1", Result: "absent"}, {Region: "us-east-1", Result: "purged"}}
				if diff := cmp.Diff(want, got.Regions); status != http.StatusOK || diff != "" {
					t.Fatalf("status %d, %s (-want +got):\n%s", status, got.Message, diff)
				}
				if got.Hash != mustObject(originURL).Hash() || got.Service != "s3" || got.URL != "" && got.URL != originURL {
					t.Errorf("the report is about %+v", got)
				}
				if w.has(east) {
					t.Error("the copy is still there")
				}
				if status, got := w.report("us-east-1", form(originURL)); status != http.StatusOK || got.Regions[0].Result != "absent" {
					t.Errorf("purged again: %d %+v", status, got)
				}
			}
		})
	}
}

// The copy of an address goes, also if another generation is current and nothing is
// known of it, whether this server or another serves it.
func TestPurgeOfACopyThatAPurgeLeft(t *testing.T) {
	key := mustObject(originURL).StorageKey("old")
	for _, front := range []string{publicURL, "https://front.test"} {
		w := newWorld(t, func(o *frontend.Options) { o.PublicURL = front })
		if _, err := w.storages[east].Put(t.Context(), key, strings.NewReader(content), storage.PutOptions{SizeBytes: -1}); err != nil {
			t.Fatal(err)
		}
		link, err := w.storages[east].URL(t.Context(), key, http.MethodGet)
		if err != nil {
			t.Fatal(err)
		}
		if status, got := w.report("us-east-1", inBase64(link.URL+"?X-Amz-Signature=x")); status != http.StatusOK || got.Regions[0].Result != "purged" {
			t.Errorf("%s: %d %+v", front, status, got)
		}
		if _, err := w.storages[east].Stat(t.Context(), key); err == nil {
			t.Errorf("%s: the copy is still there", front)
		}
	}
}

func TestAddressesOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	w.copyTo(east)
	o := mustObject(originURL)
	for name, tt := range map[string]struct{ address, want string }{
		"another mirror": {o.RedirectURL("https://other.test", east), "The URL is one of another mirror, https://other.test: ask that one, or give the origin's URL, which `cloudmirror rewrite --decode` prints."},
		"another service": {
			o.RedirectURL(publicURL, cloudmirror.BackendID{Service: "pkg", Region: "us-east-1"}),
			`The URL is one of the service "pkg", and the request is about the service s3.`,
		},
		"a copy of another service": {strings.Replace(w.addressOf(east), "/s3/", "/pkg/", 1), `The URL is one of the service "pkg", and the request is about the service s3.`},
		"half of a redirect's URL":  {publicURL + "/v1/redirect/s3/us-east-1/" + o.Target()[:9], "The URL is one of this server, and neither a redirect's nor a copy's: give it whole, or the origin's."},
		"half of a copy's address":  {w.addressOf(east)[:90], "The URL is one of this server, and neither a redirect's nor a copy's: give it whole, or the origin's."},
		"a hash that is none":       {publicURL + "/objects/s3/us-east-1/abc/0/x", "The URL is one of this server, and neither a redirect's nor a copy's: give it whole, or the origin's."},
	} {
		status, got := w.report("*", inBase64(tt.address))
		if status != http.StatusBadRequest || got.Code != "InvalidURL" || got.Message != tt.want {
			t.Errorf("%s: %d %s %q", name, status, got.Code, got.Message)
		}
		path := "/v1/status/" + east.String() + "/" + inBase64(tt.address)
		if resp := w.operate(http.MethodGet, path, "Bearer "+token, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status of %s: %s", name, resp.Status)
		}
	}
	if !w.has(east) {
		t.Error("the copy is gone")
	}
}

// A URL of an origin may look like a mirror's or a copy's by chance.
func TestPurgeOfOriginsThatLookLikeOthers(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for _, raw := range []string{
		"https://origin.test/" + hash + "/0/data.tar", "https://origin.test/v1/redirect/a/b/c", "https://origin.test/x?u=/v1/redirect/s3/us-east-1/https://origin.test/y",
		"https://origin.test/objects/s3/us-east-1/x",
	} {
		w := newWorld(t)
		_, err := w.storages[east].Put(t.Context(), mustObject(raw).StorageKey(cloudmirror.FirstGeneration), strings.NewReader(content), storage.PutOptions{SizeBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		if status, got := w.report("us-east-1", inBase64(raw)); status != http.StatusOK || got.URL != raw || got.Regions[0].Result != "purged" {
			t.Errorf("%s: %d %+v", raw, status, got)
		}
	}
}

func TestPurgeOfTheWrongFileName(t *testing.T) {
	w := newWorld(t)
	w.copyTo(east)
	address := w.addressOf(east)
	status, got := w.report("us-east-1", inBase64(address[:len(address)-3]))
	if status != http.StatusBadGateway || got.Regions[0].Result != "failed" || !strings.Contains(got.Regions[0].Cause, "no copy of this file name is in the storage") {
		t.Errorf("%d %+v", status, got)
	}
}

func TestPurgeWithARegionDown(t *testing.T) {
	w := newWorld(t)
	w.copyTo(east)
	w.storages[west].down.Store(true)
	status, got := w.report("*", originURL)
	next := "cloudmirror purge --service s3 --region eu-west-1 '" + originURL + "'"
	if status != http.StatusBadGateway || got.Code != "PurgeFailed" || got.Message != "The object may still be in eu-west-1; purge it again." || got.URL != originURL {
		t.Errorf("%d %+v", status, got)
	}
	if len(got.Regions) != 2 || got.Regions[0].Result != "failed" || !strings.Contains(got.Regions[0].Cause, errDown.Error()) || got.Regions[0].Next != next {
		t.Errorf("the region that is down: %+v", got.Regions)
	}
	if got.Regions[1] != (regionReport{Region: "us-east-1", Result: "purged"}) || w.has(east) {
		t.Errorf("the other one: %+v", got.Regions)
	}
	// Without an Accept header as well.
	if resp := w.operate(http.MethodDelete, purgePath("*"), "Bearer "+token, ""); resp.StatusCode != http.StatusBadGateway || len(decode[purgeReport](t, resp).Regions) != 2 {
		t.Errorf("without Accept: %s", resp.Status)
	}
	// What it is cannot be told of an address that may be an origin's.
	unknown := "https://origin.test/" + strings.Repeat("0123456789abcdef", 4) + "/0/x"
	if status, got := w.report("*", inBase64(unknown)); status != http.StatusServiceUnavailable || !strings.Contains(got.Message, "cannot be told while a region is down") {
		t.Errorf("%d %+v", status, got)
	}
}

// A client that accepts anything is told nothing, as ever.
func TestPurgeIsSilentUnlessAsked(t *testing.T) {
	w := newWorld(t)
	for accept, want := range map[string]int{"": 204, "*/*": 204, "text/html": 204, "application/*": 204, "application/json": 200, "text/html,Application/JSON; q=0.5": 200} {
		r := httptest.NewRequest(http.MethodDelete, purgePath("*"), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept", accept)
		if resp := w.do(r); resp.StatusCode != want {
			t.Errorf("Accept %q: %d, want %d", accept, resp.StatusCode, want)
		}
	}
}

func TestStatusTakesEveryAddressOfACopy(t *testing.T) {
	w := newWorld(t, func(o *frontend.Options) { o.PublicURL = publicURL + "/" })
	w.copyTo(east)
	for name, address := range w.addresses() {
		r := httptest.NewRequest(http.MethodGet, "/v1/status/"+east.String()+"/"+inBase64(address), nil)
		r.Host = "asked.test"
		r.Header.Set("Authorization", "Bearer "+token)
		got := decode[map[string]any](t, w.do(r))
		if got["state"] != "present" || got["location"] != w.addressOf(east) || got["url"] != nil && got["url"] != originURL {
			t.Errorf("%s: %v", name, got)
		}
	}
	// A copy's address may be one that is known when its URL is not, and signed.
	path := "/v1/status/" + east.String() + "/" + inBase64(w.addressOf(east))
	if resp := w.operate(http.MethodGet, path, "", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", resp.Status)
	}
	path = "/v1/status/" + east.String() + "/" + inBase64(mustObject("https://not.allowed.test/a").RedirectURL(publicURL, east))
	if resp := w.operate(http.MethodGet, path, "", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a URL that is not allowed: %s", resp.Status)
	}
}
