package frontend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/frontend"
)

func statusPath(id cloudmirror.BackendID) string {
	return "/v1/status/" + id.String() + "/" + mustObject(originURL).Target()
}

func TestStatus(t *testing.T) {
	sum := sha256.Sum256([]byte(content))
	// The bubble's clock begins at midnight.
	const storedAt, expiresAt = "2000-01-01T00:00:00Z", "2000-01-01T00:55:00Z"
	tests := []struct {
		name          string
		before        func(*world)
		authorization string
		want          map[string]any // beside state, url, service and region
	}{
		{"absent", nil, "", map[string]any{"state": "absent"}},
		{"purged", func(w *world) { w.operate(http.MethodDelete, purgePath("*"), "Bearer "+token, "") }, "", map[string]any{"state": "absent"}},
		{"present", (*world).present, "", map[string]any{
			"state": "present", "size": float64(len(content)), "sha256": hex.EncodeToString(sum[:]),
			"stored_at": storedAt, "expires_at": expiresAt,
			"location": publicURL + "/objects/s3/us-east-1/" + mustObject(originURL).StorageKey(cloudmirror.FirstGeneration),
		}},
		{"present in storage alone", func(w *world) { w.present(); w.memory.Flush() }, "", map[string]any{
			"state": "present", "size": float64(len(content)), "sha256": hex.EncodeToString(sum[:]),
			"stored_at": storedAt, "expires_at": expiresAt,
			"location": publicURL + "/objects/s3/us-east-1/" + mustObject(originURL).StorageKey(cloudmirror.FirstGeneration),
		}},
		{"queued", func(w *world) { w.ensure() }, "", map[string]any{"state": "pending", "waits_for": "copier", "queued_since": storedAt}},
		{"copying", func(w *world) {
			w.ensure()
			attempt, _ := w.begin(east)
			if err := attempt.Renew(w.t.Context(), cache.Progress{DoneBytes: 3, TotalBytes: 7}); err != nil {
				w.t.Fatal(err)
			}
		}, "", map[string]any{"state": "pending", "done_bytes": 3.0, "total_bytes": 7.0, "percent": 42.0, "waits_for": "copy"}},
		{"copying, of unknown length", func(w *world) { w.ensure(); w.begin(east) }, "", map[string]any{"state": "pending", "done_bytes": 0.0, "waits_for": "copy"}},
		{"failed for good", func(w *world) { w.failed(notFoundAtOrigin()) }, "", map[string]any{
			"state": "error", "tries": 1.0, "expires_at": "2000-01-01T00:00:30Z",
			"error": map[string]any{"code": "OriginStatus", "message": "The origin answered 404 Not Found.", "status": 404.0, "permanent": true},
		}},
		{"failed for good, for operators", func(w *world) { w.failed(notFoundAtOrigin()) }, "Bearer " + token, map[string]any{
			"state": "error", "tries": 1.0, "expires_at": "2000-01-01T00:00:30Z",
			"error": map[string]any{"code": "OriginStatus", "message": "The origin answered 404 Not Found.", "status": 404.0, "permanent": true, "cause": errDown.Error()},
		}},
		{"failed for good, with a wrong token", func(w *world) { w.failed(notFoundAtOrigin()) }, "Bearer wrong", map[string]any{
			"state": "error", "tries": 1.0, "expires_at": "2000-01-01T00:00:30Z",
			"error": map[string]any{"code": "OriginStatus", "message": "The origin answered 404 Not Found.", "status": 404.0, "permanent": true},
		}},
		{"failed for now", func(w *world) { w.failed(tooSlow()) }, "", map[string]any{
			"state": "error", "tries": 1.0, "expires_at": "2000-01-01T01:01:00Z",
			"error": map[string]any{"code": "OriginTimeout", "message": "The origin is too slow.", "permanent": false, "retry_at": "2000-01-01T01:00:00Z"},
		}},
		{"queued again after a failure", func(w *world) {
			w.failed(tooSlow())
			time.Sleep(time.Hour)
			w.ensure()
		}, "", map[string]any{
			"state": "pending", "tries": 1.0, "waits_for": "copier", "queued_since": "2000-01-01T01:00:00Z",
			"error": map[string]any{"code": "OriginTimeout", "message": "The origin is too slow.", "permanent": false, "retry_at": "2000-01-01T01:00:00Z"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if tt.before != nil {
					tt.before(w)
				}
				jobs := w.jobs(east)
				resp := w.operate(http.MethodGet, statusPath(east), tt.authorization, "")
				tt.want["url"], tt.want["service"], tt.want["region"] = originURL, "s3", "us-east-1"
				if diff := cmp.Diff(tt.want, decode[map[string]any](t, resp)); resp.StatusCode != http.StatusOK || diff != "" {
					t.Errorf("status %d, body (-want +got):\n%s", resp.StatusCode, diff)
				}
				if got := resp.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
				if w.jobs(east) != jobs {
					t.Error("asking for the status caused a job")
				}
			})
		})
	}
}

// What processes say of a copy is newer than what its entry says. Names of processes,
// and hosts to which origins redirect, are for operators.
func TestStatusSaysWhatACopyWaitsFor(t *testing.T) {
	since := map[string]any{"waits_for": "copier", "queued_since": "2000-01-01T00:00:00Z"}
	with := func(more map[string]any) map[string]any {
		all := maps.Clone(since)
		maps.Copy(all, more)
		return all
	}
	turns := func(host string) map[string]any {
		shown := map[string]any{"turns": 8.0, "max_turns": 8.0}
		if host != "" {
			shown["host"] = host
		}
		return with(map[string]any{"waits_for": "host", "waits_for_host": shown})
	}
	other := waitsForHost("https://origin.test")
	tests := []struct {
		name      string
		change    func(*frontend.Options)
		before    func(*world)
		strangers map[string]any // beside state, url, service and region
		operators map[string]any // what they see more
	}{
		{"no process has the job", copiers(), (*world).ensure, since, nil},
		{"a copier put it back", copiers(), delayed, with(map[string]any{"waits_for": "delay", "delayed_until": "2000-01-01T00:00:40Z"}), nil},
		{"it waits for its host", copiers(other), (*world).ensure, turns("https://origin.test"), map[string]any{"copied_by": "copier-1:4711"}},
		{
			"it waits for the host of a redirect", copiers(waitsForHost("https://elsewhere.test")), (*world).ensure, turns(""),
			with(map[string]any{"waits_for": "host", "copied_by": "copier-1:4711", "waits_for_host": map[string]any{"host": "https://elsewhere.test", "turns": 8.0, "max_turns": 8.0}}),
		},
		{
			"it is copied", copiers(copying(31_000_000, 50_000_000, 1_300_000)), begun,
			map[string]any{"waits_for": "copy", "done_bytes": 31e6, "total_bytes": 50e6, "percent": 62.0, "bytes_per_second": 1.3e6},
			map[string]any{"copied_by": "copier-1:4711"},
		},
		{
			"it is copied, and a duplicate of its job waits", copiers(other, copying(1, 2, 3), other), begun,
			map[string]any{"waits_for": "copy", "done_bytes": 1.0, "total_bytes": 2.0, "percent": 50.0, "bytes_per_second": 3.0},
			map[string]any{"copied_by": "copier-1:4711"},
		},
		{
			"figures that cannot be", copiers(copying(-5, 0, -1)), begun,
			map[string]any{"waits_for": "copy", "done_bytes": 0.0, "total_bytes": 0.0, "bytes_per_second": 0.0},
			map[string]any{"copied_by": "copier-1:4711"},
		},
		{
			"more bytes than announced", copiers(copying(math.MaxInt64, 3, 0)), begun,
			map[string]any{"waits_for": "copy", "done_bytes": float64(math.MaxInt64), "total_bytes": 3.0, "percent": 100.0, "bytes_per_second": 0.0},
			map[string]any{"copied_by": "copier-1:4711"},
		},
		{
			"its copier is silent for a minute", copiers(), func(w *world) { begun(w); time.Sleep(time.Minute) },
			map[string]any{"waits_for": "request", "done_bytes": 3e6, "total_bytes": 5e6, "percent": 60.0},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tt.change)
				tt.before(w)
				want := map[string]any{"state": "pending", "url": originURL, "service": "s3", "region": "us-east-1"}
				maps.Copy(want, tt.strangers)
				if diff := cmp.Diff(want, decode[map[string]any](t, w.operate(http.MethodGet, statusPath(east), "", ""))); diff != "" {
					t.Errorf("strangers see (-want +got):\n%s", diff)
				}
				maps.Copy(want, tt.operators)
				if diff := cmp.Diff(want, decode[map[string]any](t, w.operate(http.MethodGet, statusPath(east), "Bearer "+token, ""))); diff != "" {
					t.Errorf("operators see (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestStatusErrors(t *testing.T) {
	tests := []struct {
		name, path string
		down       bool
		status     int
		code       string
	}{
		{"all regions", "/v1/status/s3/*/" + mustObject(originURL).Target(), false, 404, "UnknownBackend"},
		{"no URL", "/v1/status/s3/us-east-1/x", false, 400, "InvalidURL"},
		{"not allowed", "/v1/status/s3/us-east-1/https://evil.test/", false, 403, "URLNotAllowed"},
		{"cache and storage are down", statusPath(east), true, 503, "Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.cache.down.Store(tt.down)
			w.storages[east].down.Store(tt.down)
			resp := w.do(httptest.NewRequest(http.MethodGet, tt.path, nil))
			if got := decode[body](t, resp); resp.StatusCode != tt.status || got.Code != tt.code {
				t.Errorf("status %d, code %s, want %d %s", resp.StatusCode, got.Code, tt.status, tt.code)
			}
		})
	}
}
