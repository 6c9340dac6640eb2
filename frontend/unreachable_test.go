package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"cloudmirror/frontend"
)

// cutOff is a region whose copies clients cannot fetch until it is mended.
type cutOff struct{ mended atomic.Bool }

func (c *cutOff) Reachable() bool { return c.mended.Load() }

func TestARegionThatIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		region := new(cutOff)
		w := newWorld(t, withService(func(s *frontend.Service) {
			for i := range s.Backends {
				if s.Backends[i].Region == east.Region {
					s.Backends[i].Reach = region
				}
			}
		}))
		ask := func(backend string) (cacheStatus, location string) {
			resp := w.do(httptest.NewRequest(http.MethodGet, "/v1/redirect/"+backend+"/"+mustObject(originURL).Target(), nil))
			return resp.Header.Get("Cache-Status"), resp.Header.Get("Location")
		}
		if detail, location := ask(east.String()); detail != "cloudmirror; fwd=miss; detail=region-unreachable" || location != originURL {
			t.Errorf("cut off: %s to %s", detail, location)
		}
		if n := w.jobs(east); n != 0 {
			t.Errorf("%d jobs were sent for clients who cannot fetch their copies", n)
		}
		if w.cache.asked.Load() != 0 {
			t.Error("the cache was asked, although it makes no difference")
		}
		bodies := decode[struct {
			Backends []struct{ Region, Health string }
		}](t, w.do(httptest.NewRequest(http.MethodGet, "/v1/backends", nil)))
		for _, b := range bodies.Backends {
			if want := map[string]string{east.Region: "region-unreachable", west.Region: "ok"}[b.Region]; b.Health != want {
				t.Errorf("health of %s: %s, want %s", b.Region, b.Health, want)
			}
		}
		region.mended.Store(true)
		w.present()
		if detail, location := ask(east.String()); detail != "cloudmirror; hit; ttl="+freshTTL || !strings.HasPrefix(location, publicURL) {
			t.Errorf("mended: %s to %s", detail, location)
		}
	})
}
