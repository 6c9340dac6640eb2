package copier_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

const largeBytes = 10*sectionBytes + 1234

// newSectionedWorld is a world in which every large object is read over several
// connections, if it may.
func newSectionedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.client = origin.New(origin.Options{ResumeDelay: time.Millisecond, EnoughBytesPerSecond: math.MaxInt64})
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) wantLarge(path string) {
	w.t.Helper()
	sum := sha256.Sum256(origintest.Bytes(path, largeBytes))
	if e := w.wait(path); e.State != cache.Present || e.Copy.SizeBytes != largeBytes || e.Copy.SHA256 != hex.EncodeToString(sum[:]) {
		w.t.Errorf("the entry of %s is %+v: %+v", path, e, e.Failure)
	}
}

func TestLargeObjectsAreReadOverSeveralConnections(t *testing.T) {
	t.Parallel() // it waits in real time
	tests := map[string]struct{ connections, perHost, most int }{
		"as many as one copy may":               {4, 0, 4},
		"no more than the host may have copies": {8, 3, 3},
		"no more where each copy may have one":  {8, 1, 1},
		"never several":                         {1, 8, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSectionedWorld(t)
			w.origin.Set("/large", origintest.Behaviour{SizeBytes: largeBytes, BytesPerSecond: 4 << 20})
			w.startWith(func(o *copier.Options) { o.Connections, o.Limits.CopiesPerHost = test.connections, test.perHost })
			w.wantLarge("/large")
			// The origin may notice late that the first connection was closed.
			if got := w.origin.MostStreams("/large"); got < test.most || got > test.most+1 {
				t.Errorf("%d connections at once, want %d", got, test.most)
			}
			if n := w.counted("cloudmirror_copy_bytes_total", "region", backendID.Region); n != largeBytes {
				t.Errorf("%v bytes were counted of %d", n, largeBytes)
			}
		})
	}
}

// However many copies read large objects, they have no more connections than there
// may be copies, and one each.
func TestManyCopiesHaveFewConnections(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newSectionedWorld(t)
	var copies []string
	for i := range 4 {
		path := fmt.Sprintf("/large-%d", i)
		w.origin.Set(path, origintest.Behaviour{SizeBytes: largeBytes, BytesPerSecond: 4 << 20})
		copies = append(copies, path)
	}
	for _, path := range copies {
		if _, err := w.engine.Wait(t.Context(), w.want(path), engine.Patience{}); err != nil {
			t.Fatal(err)
		}
	}
	w.startWith(func(o *copier.Options) { o.Concurrency, o.Connections, o.Limits.CopiesPerHost = len(copies), 4, 0 })
	var most int
	for _, path := range copies {
		w.wantLarge(path)
		most += w.origin.MostStreams(path)
	}
	// The last copies may have those of the first ones, when these have ended.
	if most >= 4*len(copies) {
		t.Errorf("%d connections, one copy's at its most added to the other's", most)
	}
}

// A job that waits for the host goes before the next section.
func TestSectionsGiveWayToOtherCopies(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newSectionedWorld(t)
	w.origin.Set("/large", origintest.Behaviour{SizeBytes: largeBytes, BytesPerSecond: 1 << 20})
	w.startWith(func(o *copier.Options) { o.Connections, o.Limits.CopiesPerHost = 8, 2 })
	if _, err := w.engine.Wait(t.Context(), w.want("/large"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the large object is read over two connections", func() bool { return w.origin.MostStreams("/large") >= 2 })
	w.wait("/small?size=10")
	if w.origin.Streams("/large") == 0 {
		t.Error("the small object waited for all of the large one")
	}
	w.wantLarge("/large")
}

// What failed over several connections is tried over one.
func TestARetryReadsInOrder(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newSectionedWorld(t)
	// Each connection past the first two leads to another version of the object.
	w.origin.Set("/large", origintest.Behaviour{SizeBytes: largeBytes, ChangeAfter: 2})
	w.startWith(func(o *copier.Options) { o.Connections = 8 })
	if e := w.wait("/large"); e.State != cache.Present {
		t.Errorf("the entry is %+v: %+v", e, e.Failure)
	}
	ranges := 0
	for _, r := range w.origin.Requests() {
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
			ranges++
			continue
		}
		ranges = 0
	}
	if ranges > 0 {
		t.Errorf("the last try asked for %d sections", ranges)
	}
}

func TestSectionsKeepToTheBandwidth(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newSectionedWorld(t)
	w.origin.Set("/large", origintest.Behaviour{SizeBytes: largeBytes})
	w.startWith(func(o *copier.Options) { o.Connections, o.Backends[0].BandwidthBytes = 4, 1<<20 })
	began := time.Now()
	w.wantLarge("/large")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("2.5 MiB at 1 MiB a second, with a burst of a tenth, took %v", took)
	}
}
