package frontend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
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
		{"queued", func(w *world) { w.ensure() }, "", map[string]any{"state": "pending"}},
		{"copying", func(w *world) {
			w.ensure()
			attempt, _ := w.begin(east)
			if err := attempt.Renew(w.t.Context(), cache.Progress{DoneBytes: 3, TotalBytes: 7}); err != nil {
				w.t.Fatal(err)
			}
		}, "", map[string]any{"state": "pending", "done_bytes": 3.0, "total_bytes": 7.0}},
		{"copying, of unknown length", func(w *world) { w.ensure(); w.begin(east) }, "", map[string]any{"state": "pending", "done_bytes": 0.0}},
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
			"state": "pending", "tries": 1.0,
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
