package copier_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/copier"
	"cloudmirror/presence"
)

// copiesOf returns what the copier holds, those that are about the URLs by them.
func (b *bubble) copiesOf(urls ...string) map[string]presence.Copy {
	b.t.Helper()
	names := make(map[string]string)
	for _, url := range urls {
		names[want(b.t, url).Object.Hash()] = url
	}
	found := make(map[string]presence.Copy)
	for _, c := range b.copier.Copies() {
		found[names[c.Object]] = c
	}
	return found
}

// A copier tells which of its jobs wait for a host, and how far the others are: of
// the host that sends the bytes, and as fast as these came lately.
func TestCopiesTellsOfEachJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, withISOs(&isoOrigin{}, func(o *copier.Options) { o.Limits.CopiesPerHost = 2 }))
		if copies := b.copier.Copies(); len(copies) != 0 {
			t.Errorf("at the beginning it holds %+v", copies)
		}
		b.origin.redirect = redirectsTo("cdn.test/iso")
		first, second, third := "https://host.test/iso/first", "https://host.test/iso/second", "https://other.test/iso"
		b.ask(first)
		synctest.Wait()
		began := time.Now()
		time.Sleep(5 * time.Second)
		b.ask(second)
		time.Sleep(5 * time.Second)
		b.ask(third)
		time.Sleep(10 * time.Second)
		object := func(url string) string { return want(t, url).Object.Hash() }
		wanted := map[string]presence.Copy{
			first: {
				Object: object(first), Backend: "s3/eu-west-1", State: presence.Copying, Since: began,
				Host: "https://cdn.test", Turns: 1, MaxTurns: 2, DoneBytes: 1302528, TotalBytes: 64 << 20, BytesPerSecond: 65126,
			},
			second: {
				Object: object(second), Backend: "s3/eu-west-1", State: presence.WaitsForHost, Since: began.Add(5*time.Second + 20*time.Millisecond),
				Host: "https://host.test", Turns: 1, MaxTurns: 2, TotalBytes: 64 << 20,
			},
			third: {
				Object: object(third), Backend: "s3/eu-west-1", State: presence.WaitsForHost, Since: began.Add(10*time.Second + 20*time.Millisecond),
				Host: "https://cdn.test", Turns: 1, MaxTurns: 2, TotalBytes: 64 << 20,
			},
		}
		if diff := cmp.Diff(wanted, b.copiesOf(first, second, third)); diff != "" {
			t.Errorf("it tells (-want +got):\n%s", diff)
		}
		order := []string{first, second, third}
		for i, c := range b.copier.Copies() {
			if c.Object != object(order[i]) {
				t.Errorf("copy %d is not of %s", i, order[i])
			}
		}
		b.stop()
		if copies := b.copier.Copies(); len(copies) != 0 {
			t.Errorf("after a stop it holds %+v", copies)
		}
	})
}

// The rate is that of the last 10 s for callers who ask every 2 s.
func TestTheRateOfACopyIsThatOfLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		began := time.Now()
		b.origin.script(func(ctx context.Context, _ cloudmirror.Object) (io.Reader, error) {
			return readerFunc(func([]byte) (int, error) {
				rest := 10 * time.Millisecond
				if time.Since(began) > time.Minute {
					rest = time.Second
				}
				return 1000, pause(ctx, rest)
			}), nil
		})
		b.ask("https://host.test/")
		for range 40 {
			time.Sleep(2 * time.Second)
			rate := b.copier.Copies()[0].BytesPerSecond
			switch since := time.Since(began); {
			case since <= time.Minute && (rate < 99_000 || rate > 101_000):
				t.Errorf("after %v the rate is %d", since, rate)
			case since > time.Minute+13*time.Second && (rate < 900 || rate > 1100):
				t.Errorf("after %v the rate is %d", since, rate)
			}
		}
	})
}

// However many jobs a copier holds, it tells of those that it has held longest.
func TestCopiesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency = 300 })
		b.origin.script(copiesIn(time.Hour))
		longest := make(map[string]bool)
		for host := range 30 {
			for i := range 20 {
				url := fmt.Sprintf("https://host%d.test/%d", host, i)
				if b.ask(url); len(longest) < presence.MaxCopies {
					longest[want(t, url).Object.Hash()] = true
				}
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second / 2) // turns change every 10 s
		copies := b.copier.Copies()
		for i, c := range copies {
			if !longest[c.Object] {
				t.Errorf("copy %d is not one of those that it has held longest: %+v", i, c)
			}
		}
		if n := len(copies); n != presence.MaxCopies {
			t.Errorf("it tells of %d copies", n)
		}
	})
}
