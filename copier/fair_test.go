package copier_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/origin"
)

// An isoOrigin answers for paths that begin with /iso with 64 MiB at 64 KiB a second,
// or at the pace that is set, and for others with 64 KiB. Of the ISOs it announces
// the length, unless the path says "chunked".
type isoOrigin struct {
	*scriptedOrigin
	rest  time.Duration // between two pieces of 8 KiB; 0: 125 ms
	size  int           // of an ISO; 0: 64 MiB
	first time.Duration // until the first byte; 0: 20 ms
}

func withISOs(i *isoOrigin, change func(*copier.Options)) func(*copier.Options) {
	return func(o *copier.Options) {
		i.scriptedOrigin = o.Origin.(*scriptedOrigin)
		i.script(i.answer)
		o.Origin = i
		if change != nil {
			change(o)
		}
	}
}

func (i *isoOrigin) bytes() int { return cmp.Or(i.size, 64<<20) }

func isISO(o cloudmirror.Object) bool { return strings.Contains(o.URL(), "/iso") }

func (i *isoOrigin) answer(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
	if err := pause(ctx, cmp.Or(i.first, 20*time.Millisecond)); err != nil {
		return nil, err
	}
	if !isISO(o) {
		return bytes.NewReader(make([]byte, 64<<10)), nil
	}
	return &drip{ctx: ctx, bytes: 8 << 10, every: cmp.Or(i.rest, 125*time.Millisecond), size: i.bytes()}, nil
}

func (i *isoOrigin) Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	response, err := i.scriptedOrigin.Get(ctx, rules, o)
	switch {
	case err != nil || strings.Contains(o.URL(), "chunked"):
	case isISO(o):
		response.SizeBytes = int64(i.bytes())
	case strings.HasSuffix(o.URL(), "medium"):
		response.SizeBytes = 8 << 20
	}
	return response, err
}

// wantSoon fails unless an object is copied in time.
func (b *bubble) wantSoon(limit time.Duration, url string) {
	b.t.Helper()
	began := time.Now()
	if e := b.wait(url, limit); e.State != cache.Present {
		b.t.Errorf("%s after %v: %+v", url, time.Since(began), e)
	}
}

// A small object waits for no long ones of its host, however many there are, whether
// the origin announces their lengths, and whether it redirects. The host is never
// asked by more copies than it may be, and each long one by one request that is given
// up at most.
func TestASmallObjectBehindSlowISOs(t *testing.T) {
	t.Parallel()
	toCDN := func(o cloudmirror.Object) (to string) {
		if o.Host() != "cdn.test" {
			to = strings.Replace(o.URL(), o.Host(), "cdn.test", 1) + "?from=" + o.Host()
		}
		return to
	}
	tests := map[string]struct {
		isos     int
		path     string
		redirect func(cloudmirror.Object) string
		hosts    int // of the ISOs; 1: that of the small object
		limit    time.Duration
	}{
		"eight":                                 {8, "iso", nil, 1, time.Second},
		"eight without a length":                {8, "iso-chunked", nil, 1, 12 * time.Second},
		"forty":                                 {40, "iso", nil, 1, 2 * time.Second},
		"a hundred":                             {100, "iso", nil, 1, 5 * time.Second},
		"eight behind a redirect":               {8, "iso", toCDN, 1, time.Second},
		"eight of other hosts behind redirects": {8, "iso", toCDN, 8, time.Second},
		"forty of other hosts behind redirects": {40, "iso", toCDN, 40, 5 * time.Second},
		"eight of other hosts without lengths":  {8, "iso-chunked", toCDN, 8, 12 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				isos := &isoOrigin{}
				b := newBubble(t, withISOs(isos, nil))
				b.origin.redirect = tt.redirect
				for i := range tt.isos {
					b.ask(fmt.Sprintf("https://host%d.test/%s/%d", i%tt.hosts, tt.path, i))
				}
				time.Sleep(time.Millisecond)
				b.wantSoon(tt.limit, "https://host0.test/small/first")
				for i := range 20 {
					time.Sleep(7 * time.Second)
					b.wantSoon(12*time.Second, fmt.Sprintf("https://host0.test/small/%d", i))
				}
				for _, host := range []string{"host0.test", "cdn.test"} {
					if most := b.origin.mostOf(host); most > 8 {
						t.Errorf("%d copies asked %s at a time", most, host)
					}
				}
				for i := range tt.isos {
					url := fmt.Sprintf("https://host%d.test/%s/%d", i%tt.hosts, tt.path, i)
					if n := b.origin.askedFor(url); n > 2 {
						t.Errorf("%s was asked for %d times", url, n)
					}
				}
			})
		})
	}
}

// Long objects get their turns too, although small ones are wanted all the time, and
// in the order in which they came.
func TestALongCopyGetsItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const isos, size, rest = 4, 17 << 20, 10 * time.Millisecond // 22 s for each
		b := newBubble(t, withISOs(&isoOrigin{rest: rest, size: size, first: 500 * time.Millisecond}, func(o *copier.Options) {
			o.Limits.CopiesPerHost = 3
		}))
		for i := range isos {
			b.ask(fmt.Sprintf("https://host.test/iso/%d", i))
			time.Sleep(time.Millisecond)
		}
		for i := range 60 {
			for j := range 8 { // more than three turns can bear in a second
				b.ask(fmt.Sprintf("https://host.test/small/%d/%d", i, j))
			}
			time.Sleep(time.Second)
		}
		for i := range isos {
			if e := b.entry(fmt.Sprintf("https://host.test/iso/%d", i)); e.State != cache.Present {
				t.Errorf("ISO %d is %+v", i, e)
			}
		}
	})
}

// Where every object is long, all turns but one are used all the time. Each object
// that has to wait costs one request more.
func TestTurnsOfAHostWithLongObjectsOnly(t *testing.T) {
	t.Parallel()
	const isos = 21
	for name, tt := range map[string]struct {
		perHost, most int
		again         int // requests beside one for each object
	}{
		"eight turns": {8, 8, isos - 7},
		"two turns":   {2, 2, isos - 1},
		"one turn":    {1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := 20 * time.Second
				b := newBubble(t, withISOs(&isoOrigin{rest: took / (17 << 7), size: 17 << 20}, func(o *copier.Options) {
					o.Limits.CopiesPerHost = tt.perHost
				}))
				for i := range isos {
					b.ask(fmt.Sprintf("https://host.test/iso/%d", i))
				}
				began := time.Now()
				for i := range isos {
					b.wantSoon(time.Hour, fmt.Sprintf("https://host.test/iso/%d", i))
				}
				rounds := isos / max(1, tt.perHost-1)
				if took, least := time.Since(began), time.Duration(rounds)*took; took > least+least/20 {
					t.Errorf("%d copies took %v, want about %v", isos, took, least)
				}
				if n := b.origin.asked(); n > isos+tt.again || b.origin.mostOf("host.test") > tt.most {
					t.Errorf("%d requests for %d objects, %d at a time", n, isos, b.origin.mostOf("host.test"))
				}
			})
		})
	}
}

// A copy that became long while all turns for long ones were taken goes on as long as
// no other job waits for the host.
func TestALongCopyKeepsTheLastTurnWhileNoJobWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, withISOs(&isoOrigin{}, nil))
		for i := range 8 {
			b.ask(fmt.Sprintf("https://host.test/iso-chunked/%d", i))
		}
		time.Sleep(time.Minute)
		if n := b.value("cloudmirror_copies_running"); n != 8 || b.origin.asked() != 8 {
			t.Errorf("%v copies run, after %d requests", n, b.origin.asked())
		}
		b.wantSoon(time.Second, "https://host.test/small")
		if n := b.value("cloudmirror_copies_running"); n != 7 {
			t.Errorf("%v copies run behind a small one", n)
		}
	})
}

// A copy that is half done after 10 s is not given up for others.
func TestAMediumCopyKeepsTheLastTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, withISOs(&isoOrigin{}, nil))
		for i := range 7 {
			b.ask(fmt.Sprintf("https://host.test/iso/%d", i))
		}
		b.settle()
		b.origin.script(func(ctx context.Context, _ cloudmirror.Object) (io.Reader, error) {
			return &drip{ctx: ctx, bytes: 8 << 10, every: 15 * time.Millisecond, size: 8 << 20}, nil
		})
		medium := "https://host.test/medium"
		b.ask(medium)
		time.Sleep(time.Second)
		b.ask("https://host.test/small")
		if e := b.after(15*time.Second, medium); e.State != cache.Present || b.origin.askedFor(medium) != 1 {
			t.Errorf("it is %+v after %d requests", e, b.origin.askedFor(medium))
		}
	})
}

// Jobs that were put back because many others waited come soon enough that a turn
// which becomes free sooner than expected is used, and a client does not wait.
func TestDeferredJobsComeBackSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(9 * time.Second))
		for i := range 64 { // the pace is known
			b.ask(fmt.Sprintf("https://host.test/first/%d", i))
		}
		time.Sleep(2 * time.Minute)
		const jobs = 110 // 8 of them run, 64 wait
		for i := range jobs {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
		}
		b.settle()
		if n := b.value("cloudmirror_copies_waiting"); n != 64 {
			t.Fatalf("%v jobs wait in the copier", n)
		}
		b.origin.script(copiesIn(0))
		time.Sleep(8 * time.Second) // those that run end
		began := time.Now()
		for i := range jobs {
			b.wantSoon(time.Until(began.Add(5*time.Second)), fmt.Sprintf("https://host.test/%d", i))
		}
	})
}

// A flood of small objects behind long ones flows through the turn that is left, with
// few messages for each, while the long ones are neither lost nor asked for again.
func TestAFloodOfSmallObjectsBehindISOs(t *testing.T) {
	t.Parallel()
	const objects = 2000
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, withISOs(&isoOrigin{}, nil))
		for i := range 20 {
			b.ask(fmt.Sprintf("https://host.test/iso/%d", i))
		}
		b.settle()
		for i := range objects {
			b.ask(fmt.Sprintf("https://host.test/small/%d", i))
		}
		began := time.Now()
		for i := range objects {
			b.wantSoon(time.Until(began.Add(5*time.Minute)), fmt.Sprintf("https://host.test/small/%d", i))
		}
		again := b.queue.sends() - objects - 20
		t.Logf("%d copies took %v, and %d messages more", objects, time.Since(began), again)
		if again > 3*objects {
			t.Errorf("%d messages more for %d objects", again, objects)
		}
		if n, most := b.origin.asked(), b.origin.mostOf("host.test"); n != objects+20 || most > 8 {
			t.Errorf("%d requests, %d at a time", n, most)
		}
	})
}

// A copier that stops says which of its jobs are long: the next one asks the origin for
// no more of them than there are turns for.
func TestAStopHandsBackLongJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, withISOs(&isoOrigin{}, func(o *copier.Options) { o.Limits.CopiesPerHost = 2 }))
		for i := range 4 {
			b.ask(fmt.Sprintf("https://host.test/iso/%d", i))
		}
		b.settle()
		asked := b.origin.asked()
		b.restart()
		b.settle()
		if more := b.origin.asked() - asked; asked != 4 || more != 1 {
			t.Errorf("%d requests for 4 ISOs, and %d after a stop, want 1", asked, more)
		}
		b.wantSoon(time.Second, "https://host.test/small")
	})
}
