package app_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin/origintest"
)

// What the configuration says of manners reaches the copier: each makes the same
// copies take their time.
func TestTheConfiguredManners(t *testing.T) {
	const objects = 4
	for name, test := range map[string]struct {
		copiesPerHost  int
		bandwidthBytes int64
		behaviour      origintest.Behaviour
		atLeast        time.Duration
	}{
		"one copy of a host at a time": {1, 0, origintest.Behaviour{SizeBytes: 100, Delay: 250 * time.Millisecond}, objects * 250 * time.Millisecond},
		"a bandwidth":                  {8, 16 << 10, origintest.Behaviour{SizeBytes: 6 << 10}, time.Second * (objects*6 - 4) / 16},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := origintest.Start(t)
			c := load(t, origin)
			c.Limits.CopiesPerHost, c.Services[0].BandwidthBytes = test.copiesPerHost, test.bandwidthBytes
			a, stop := start(t, c)
			began := time.Now()
			var clients sync.WaitGroup
			for i := range objects {
				path := fmt.Sprintf("/%d", i)
				origin.Set(path, test.behaviour)
				url := origin.Object(t, path).RedirectURL("http://"+a.Addresses()[0].String(), cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})
				clients.Go(func() {
					if status, header, body := get(t, url); status != http.StatusFound || header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
						t.Errorf("%s: %d %s %s", path, status, header.Get("Cache-Status"), body)
					}
				})
			}
			clients.Wait()
			if took := time.Since(began); took < test.atLeast {
				t.Errorf("%d copies took %v, want %v at least", objects, took, test.atLeast)
			}
			if err := stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}
