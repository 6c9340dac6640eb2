package copier_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// zeros answers with an object of size bytes, all 0.
func zeros(size int) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(context.Context, cloudmirror.Object) (io.Reader, error) {
		return bytes.NewReader(make([]byte, size)), nil
	}
}

// Copies of a service share its bandwidth, in whatever region, and take so long
// that the leases of their messages and entries would lapse without heartbeats.
// Another service has its own.
func TestCopiesShareTheBandwidthOfTheirService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) {
			for i := range o.Backends {
				o.Backends[i].BandwidthBytes = 100 << 10
			}
		})
		b.origin.script(zeros(10 << 20))
		const burst = 1 // seconds, and more
		for i, seconds := range []time.Duration{205, 205, 103} {
			w := want(t, fmt.Sprintf("https://host.test/%d", i))
			w.Backend = append([]cloudmirror.BackendID{backendID}, elsewhere...)[i]
			go func() {
				began := time.Now()
				view, err := b.engine.Wait(t.Context(), w, engine.Patience{Until: began.Add(time.Hour)})
				took := time.Since(began).Round(time.Second) / time.Second
				if err != nil || view.Entry.State != cache.Present || took < seconds-burst || took > seconds+burst {
					t.Errorf("%s: %+v, error %v after %d s, want present after %d s", w.Backend, view.Entry, err, took, seconds)
				}
			}()
		}
		time.Sleep(time.Hour)
		if n := b.origin.asked(); n != 3 {
			t.Errorf("the origin was asked %d times for 3 copies", n)
		}
	})
}

func TestWithoutABandwidthNothingWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(zeros(100 << 20))
		b.ask("https://a.test/")
		if e := b.after(0, "https://a.test/"); e.State != cache.Present {
			t.Errorf("at once the entry is %+v", e)
		}
	})
}

func TestAThrottledCopyEndsWithAStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Backends[0].BandwidthBytes = 1 << 10 })
		b.origin.script(zeros(10 << 20))
		b.ask("https://a.test/")
		time.Sleep(10 * time.Second)
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if e := b.entry("https://a.test/"); e.State != cache.Queued || e.Tries != 0 {
			t.Errorf("afterwards the entry is %+v, want it handed back", e)
		}
	})
}

// The longest that a copy may take ends it while it waits for its bytes, too.
func TestAThrottledCopyEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Backends[0].BandwidthBytes = 1 << 10 })
		b.origin.script(zeros(1 << 30))
		b.ask("https://a.test/")
		if e := b.after(11*time.Hour+time.Second, "https://a.test/"); e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeOriginTimeout {
			t.Errorf("after 11 hours the entry is %+v: %+v", e, e.Failure)
		}
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 {
			t.Errorf("%v hosts are paused for our own slowness", n)
		}
	})
}

// Our waiting is not the origin's: its idle time limit stays out of it.
func TestThrottlingIsNotTakenForAnIdleOrigin(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newWorld(t)
	w.client = origin.New(origin.Options{IdleTimeout: 300 * time.Millisecond})
	t.Cleanup(w.client.Close)
	w.origin.Set("/slow", origintest.Behaviour{SizeBytes: 12 << 10, NoRanges: true})
	w.startWith(func(o *copier.Options) { o.Backends[0].BandwidthBytes = 4 << 10 })
	began := time.Now()
	if e := w.wait("/slow"); e.State != cache.Present || e.Copy.SizeBytes != 12<<10 {
		t.Errorf("the entry is %+v: %+v", e, e.Failure)
	}
	if took := time.Since(began); took < 1500*time.Millisecond {
		t.Errorf("12 KiB at 4 KiB a second, with a burst of 4 KiB, took %v", took)
	}
}
