package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
)

// A crowd that asks for a copy which was not seen lately causes one look at storage, in
// whatever form and through whichever cache it asks, and waits for nothing. If the copy
// is gone, the next client has it made again.
func TestHitsHaveTheirCopyLookedAtBehindThem(t *testing.T) {
	for name, tt := range map[string]struct{ isNear, signs bool }{
		"cache": {}, "near cache": {isNear: true}, "near cache, signed links": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.near.isOn.Store(tt.isNear)
				w.storages[east].signs.Store(tt.signs)
				w.present()
				files := w.storages[east]
				time.Sleep(recheck - time.Second)
				files.looks.Store(0)
				w.location(http.MethodGet) // too early
				files.held = make(chan struct{})
				time.Sleep(time.Second)
				if err := files.Delete(t.Context(), mustObject(originURL).StorageKey(cloudmirror.FirstGeneration)); err != nil {
					t.Fatal(err)
				}
				crowd := make(chan *http.Response, 100)
				for i := range cap(crowd) {
					target := []string{mustObject(originURL).Target(), originURL, url.PathEscape(originURL)}[i%3]
					go func() {
						crowd <- w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+east.String()+"/"+target, nil))
					}()
				}
				synctest.Wait()
				for range cap(crowd) {
					resp := <-crowd
					if got := resp.Header.Get("Cache-Status"); resp.StatusCode != http.StatusFound || got != "cloudmirror; hit; ttl=2700" {
						t.Fatalf("a client got %s, %s", resp.Status, got)
					}
				}
				w.location(http.MethodHead)
				if n := files.looks.Load(); n != 1 {
					t.Errorf("a crowd caused %d looks, want 1", n)
				}
				close(files.held)
				synctest.Wait()
				next := w.ask(http.MethodGet, "")
				synctest.Wait()
				w.copy(east)
				if got := (<-next).Header.Get("Cache-Status"); got != "cloudmirror; fwd=miss; stored" {
					t.Errorf("the next client got %s, want a new copy", got)
				}
			})
		})
	}
}
