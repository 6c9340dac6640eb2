package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"cloudmirror/origin/origintest"
)

// Two front ends have an object in memory; one is told to purge it. From its
// answer on, the other one redirects no client to the old copy, also if it was
// frozen meanwhile and has not yet heard of anything.
func TestNoFrontendRedirectsToWhatWasPurged(t *testing.T) {
	d, frontends, _ := newCluster(t, "wait: 0s")
	// remembered has an object copied, and returns where to, once the second
	// front end answers from memory.
	remembered := func(path string) (old string) {
		d.origin.Set(path, origintest.Behaviour{SizeBytes: 100})
		before := d.nearHits(1)
		d.eventually("the copy is in memory", func() bool {
			a := d.must(http.MethodGet, d.redirectURL(1, path), nil)
			old = a.location
			return d.isCopy(a) && d.nearHits(1) > before
		})
		return old
	}
	purge := func(path string) {
		if a := d.admin(http.MethodDelete, "purge", path); a.status != http.StatusNoContent {
			t.Fatalf("purge: %d %s", a.status, a.body)
		}
	}
	for i := range 5 {
		path := fmt.Sprintf("/frozen-%d", i)
		old := remembered(path)
		frontends[1].Stop()
		purge(path)
		ask := d.open(1, path)
		frontends[1].Continue()
		if a := ask(); a.location == old {
			t.Errorf("%s: after the purge, a front end that was frozen redirects to the old copy", path)
		}
	}
	for i := range 5 {
		path := fmt.Sprintf("/running-%d", i)
		old := remembered(path)
		var purged atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for rest := 20; rest > 0; {
				after := purged.Load()
				a, err := d.send(http.MethodGet, d.redirectURL(1, path), nil)
				if err != nil {
					t.Error(err)
				}
				if after {
					rest--
				}
				if after && a.location == old {
					t.Errorf("%s: after the purge, a client is redirected to the old copy", path)
				}
			}
		}()
		purge(path)
		purged.Store(true)
		<-done
	}
}

// nearHits returns how often the i-th front end answered from memory.
func (d *deployment) nearHits(i int) (n float64) {
	d.t.Helper()
	for line := range strings.Lines(d.must(http.MethodGet, d.frontends[i]+"/metrics", nil).body) {
		if value, ok := strings.CutPrefix(line, "cloudmirror_near_cache_hits_total "); ok {
			if _, err := fmt.Sscan(value, &n); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	return n
}

// open sends a request for an object to the i-th front end, which need not run,
// and returns how to read the answer.
func (d *deployment) open(i int, path string) func() answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.redirectURL(i, path), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(d.t.Context(), "tcp", request.URL.Host)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := request.Write(conn); err != nil {
		d.t.Fatal(err)
	}
	return func() answer {
		d.t.Helper()
		defer conn.Close()
		response, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			d.t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			d.t.Fatal(err)
		}
		return answer{response.StatusCode, response.Header, string(body), response.Header.Get("Location")}
	}
}
