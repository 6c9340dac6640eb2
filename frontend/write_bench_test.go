package frontend

import (
	"net/http"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// A sink is a ResponseWriter that keeps nothing.
type sink http.Header

func (s sink) Header() http.Header               { return http.Header(s) }
func (s sink) WriteHeader(int)                   {}
func (s sink) Write(p []byte) (int, error)       { return len(p), nil }
func (s sink) WriteString(p string) (int, error) { return len(p), nil }

// BenchmarkWrite writes the headers and body of a redirect to a copy.
func BenchmarkWrite(b *testing.B) {
	c := &core{header: newFixedHeader()}
	to := newRedirect(cloudmirror.Location{URL: "https://mirror-eu-west-1.s3.eu-west-1.amazonaws.com/43210de95df6906d4bfe9324fa07e8f30701410e0e259fdddfa2105ed80e719c/0/tool-1.2.3-linux-amd64.tar.gz"})
	now := time.Now()
	view := engine.View{Entry: cache.Entry{State: cache.Present, Until: now.Add(time.Hour)}, Now: now}
	r := &http.Request{Method: http.MethodGet}
	b.ReportAllocs()
	for w := make(sink); b.Loop(); {
		c.write(w, r, toCopy(to, view))
	}
}
