package copier_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin/origintest"
)

// makeDirect has nothing below /dists/ copied.
func makeDirect(t *testing.T) func(*copier.Options) {
	t.Helper()
	direct, err := cloudmirror.ParseAllowPattern("^https?://[^/]+/dists/")
	if err != nil {
		t.Fatal(err)
	}
	return func(o *copier.Options) { o.Backends[0].Rules.Direct = []cloudmirror.AllowPattern{direct} }
}

// An old job of a direct URL ends at once, whatever else its host does, and says
// nothing of the host. A redirect to a direct URL is copied.
func TestDirectURLsAreNeverCopied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) {
			makeDirect(t)(o)
			o.Limits.CopiesPerHost = 1
		})
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			if strings.HasSuffix(o.URL(), "/busy") {
				return copiesIn(time.Hour)(ctx, o)
			}
			return bytes.NewReader([]byte("index")), nil
		})
		b.origin.redirect = func(o cloudmirror.Object) string {
			if strings.HasSuffix(o.URL(), "/latest") {
				return "https://host.test/dists/1.0"
			}
			return ""
		}
		b.ask("https://host.test/busy")
		b.settle()
		e := b.wait("https://host.test/dists/InRelease", time.Minute)
		if e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeURLDirect || !e.Failure.Permanent {
			t.Errorf("the entry is %+v: %+v, want a refusal", e, e.Failure)
		}
		if n := b.origin.asked(); n != 1 {
			t.Errorf("the origin was asked %d times, want once, for another object", n)
		}
		if counts, err := b.queue.Count(t.Context()); err != nil || counts.Ready+counts.Delayed+counts.Dead != 0 {
			t.Errorf("the queue has %+v, error %v", counts, err)
		}
		time.Sleep(time.Hour)
		if e := b.wait("https://host.test/latest", time.Minute); e.State != cache.Present || b.origin.askedFor("https://host.test/dists/1.0") != 1 {
			t.Errorf("the entry of what redirects to a direct URL is %+v: %+v", e, e.Failure)
		}
	})
}

// A message about a direct URL that was received too often is no dead letter.
func TestAnOldMessageOfADirectURLIsDone(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/dists/x", origintest.Behaviour{SizeBytes: 5000})
	if _, err := w.engine.Wait(t.Context(), w.want("/dists/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		deliveries, err := w.queue.Receive(t.Context(), 1)
		if err != nil || len(deliveries) != 1 {
			t.Fatalf("received %v, error %v", deliveries, err)
		}
		if err := w.queue.Extend(t.Context(), deliveries[0], 0); err != nil {
			t.Fatal(err)
		}
	}
	stop := w.startWith(makeDirect(t))
	if e := w.wait("/dists/x"); e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeURLDirect {
		t.Errorf("the entry is %+v: %+v, want a refusal", e, e.Failure)
	}
	stop()
	if counts := w.counts(); counts.Dead != 0 || counts.Ready+counts.InFlight != 0 {
		t.Errorf("the queue has %+v", counts)
	}
	if n := w.origin.Count(http.MethodGet, "/dists/x"); n != 0 {
		t.Errorf("the origin got %d GETs, want none", n)
	}
}
