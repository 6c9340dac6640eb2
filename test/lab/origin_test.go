package lab

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestTheOriginCountsCopies counts what copiers ask for, and nothing else.
func TestTheOriginCountsCopies(t *testing.T) {
	o := NewOrigin()
	get := func(header ...string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a?size=10", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		o.ServeHTTP(httptest.NewRecorder(), r)
	}
	get()
	get("CDN-Loop", "x")
	get("CDN-Loop", "x", "Range", "bytes=5-")
	get("CDN-Loop", "x", "Range", "bytes=6-")
	get("CDN-Loop", "x", "Range", "bytes=0-")
	if c := o.TakeCounts(); c.Objects != 1 || c.Started != 2 || c.Most != 2 || c.AtOnce != 1 {
		t.Errorf("%+v, want two copies of one object, one at a time", c)
	}
	if c := o.TakeCounts(); c.Started != 0 || c.Objects != 0 {
		t.Errorf("%+v after it was taken", c)
	}
}
