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
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/storage"
)

// A drip is a body that brings some bytes after each pause. The storage of bubbles
// reads 8 KiB at a time.
type drip struct {
	ctx   context.Context
	at    int           // bytes that come at once, before the others
	bytes int           // with each read after them
	every time.Duration // the pause before
	size  int           // 0: it never ends
	least time.Duration // after which it fails as the origin client has it fail; 0: never

	began time.Time
	sent  int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.began.IsZero() {
		d.began = time.Now()
	}
	n := d.bytes
	if d.sent < d.at {
		n = d.at - d.sent
	} else if err := pause(d.ctx, d.every); err != nil {
		return 0, err
	}
	if d.size > 0 && d.sent == d.size {
		return 0, io.EOF
	}
	if d.least > 0 && time.Since(d.began) >= d.least {
		return 0, tooSlow()
	}
	if n = min(n, len(p)); d.size > 0 {
		n = min(n, d.size-d.sent)
	}
	d.sent += n
	return n, nil
}

func tooSlow() *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "below the least throughput", Err: origin.ErrTooSlow}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return &cloudmirror.Failure{Code: cloudmirror.CodeInternal, Err: ctx.Err()}
	}
}

// drips answers for hosts whose names begin with "drip" with a body of theirs, and
// for others with a kilobyte.
func drips(d drip) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
		if !strings.HasPrefix(o.Host(), "drip") {
			return bytes.NewReader(make([]byte, 1<<10)), nil
		}
		mine := d
		mine.ctx = ctx
		return &mine, nil
	}
}

// silent answers for those hosts with nothing, until it takes too long.
func silent(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
	if !strings.HasPrefix(o.Host(), "drip") {
		return bytes.NewReader(make([]byte, 1<<10)), nil
	}
	if err := pause(ctx, 30*time.Second); err != nil {
		return nil, err
	}
	return nil, &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow", Origin: o.Origin()}
}

// aBytePerFiveSeconds is what a stranger needs to hold a connection for hours.
func aBytePerFiveSeconds() drip {
	return drip{bytes: 1, every: 5 * time.Second, least: 30 * time.Second}
}

// wantWithin asks for an object of a backend, and fails if there is no copy in time.
func (b *bubble) wantWithin(limit time.Duration, url string, backend cloudmirror.BackendID) {
	b.t.Helper()
	wanted, began := want(b.t, url), time.Now()
	wanted.Backend = backend
	view, err := b.engine.Wait(b.t.Context(), wanted, engine.Patience{Until: began.Add(limit)})
	if err != nil || view.Entry.State != cache.Present {
		b.t.Errorf("%s in %s after %v: %+v, error %v", url, backend, time.Since(began), view.Entry, err)
	}
}

// Origins that drip, of whatever host, keep no other host's objects from being
// copied: neither while they do, nor when all are asked for at once. Their clients
// wait, so that what fails is tried again.
func TestDrippingOriginsKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hosts, objects int
		answer         func(context.Context, cloudmirror.Object) (io.Reader, error)
		queued         time.Duration // how long an object takes that is behind all of them
	}{
		"a byte every 5 s, 100 hosts":    {100, 1, drips(aBytePerFiveSeconds()), 15 * time.Second},
		"a byte every 5 s, 2 hosts":      {2, 8, drips(aBytePerFiveSeconds()), 5 * time.Second},
		"no least throughput":            {100, 1, drips(drip{bytes: 1, every: 5 * time.Second}), 15 * time.Second},
		"no answer at all":               {100, 1, silent, 15 * time.Second},
		"64 KiB at once, then 1.5 KiB/s": {100, 1, drips(drip{at: 64 << 10, bytes: 3 << 10, every: 2 * time.Second}), 15 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				b.origin.script(test.answer)
				begun := time.Now()
				for host := range test.hosts {
					for i := range test.objects {
						url := fmt.Sprintf("https://drip%d.test/%d", host, i)
						b.ask(url)
						wanted := want(t, url)
						go func() {
							_, _ = b.engine.Wait(t.Context(), wanted, engine.Patience{Until: begun.Add(5 * time.Minute)})
						}()
					}
				}
				time.Sleep(time.Millisecond) // the queue orders jobs by time
				b.wantWithin(test.queued, "https://healthy.test/behind", backendID)
				time.Sleep(time.Until(begun.Add(test.queued))) // the others may not have begun yet
				for i := range 120 {
					time.Sleep(time.Second)
					backend := append([]cloudmirror.BackendID{backendID}, elsewhere...)[i%3]
					b.wantWithin(5*time.Second, fmt.Sprintf("https://healthy%d.test/%d", i%7, i), backend)
				}
				if slow := b.value("cloudmirror_copies_slow"); slow > 64 {
					t.Errorf("%v copies are slow, want 64 at most", slow)
				}
				b.stop()
				time.Sleep(5 * time.Minute) // until no client waits any more
			})
		})
	}
}

// dripFrom asks for objects of as many hosts that drip.
func (b *bubble) dripFrom(hosts int) {
	for i := range hosts {
		b.ask(fmt.Sprintf("https://drip%d.test/", i))
	}
}

func (b *bubble) wantSlow(want float64) {
	b.t.Helper()
	if got := b.value("cloudmirror_copies_slow"); got != want {
		b.t.Errorf("%v copies are slow, want %v", got, want)
	}
}

// What is slow, and what is only waited for, or was slow for a moment.
func TestWhatIsSlow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(context.Context, cloudmirror.Object) (io.Reader, error)
		change func(*copier.Options)
		after  time.Duration // counted from the beginning of the copy
		slow   float64
	}{
		"nothing for less than 2 s": {copiesIn(1900 * time.Millisecond), nil, 1850 * time.Millisecond, 0},
		"nothing for 2 s":           {copiesIn(time.Minute), nil, 2100 * time.Millisecond, 1},
		"64 KiB in 1.9 s":           {drips(drip{bytes: 8 << 10, every: 1900 * time.Millisecond / 8}), nil, time.Minute, 0},
		"64 KiB in 2.1 s":           {drips(drip{bytes: 8 << 10, every: 2100 * time.Millisecond / 8}), nil, 3 * time.Second, 1},
		"100 KiB a second":          {drips(drip{bytes: 8 << 10, every: 80 * time.Millisecond}), nil, time.Hour, 0},
		"fast at first":             {drips(drip{at: 10 << 20, bytes: 1 << 10, every: time.Second}), nil, 3 * time.Second, 1},
		"slow at first, and a slot is free": {
			drips(drip{bytes: 8 << 10, every: 100 * time.Millisecond}), delayed(5 * time.Second), 4 * time.Second, 1,
		},
		"fast again, and a slot is free": {
			drips(drip{bytes: 8 << 10, every: 100 * time.Millisecond}), delayed(5 * time.Second), 8 * time.Second, 0,
		},
		"everything is read":            {drips(drip{size: 100, bytes: 100}), stored(hesitantStorage{after: time.Hour}), time.Minute, 0},
		"storage waits before it reads": {drips(drip{size: 1 << 20, bytes: 100}), stored(hesitantStorage{before: time.Hour}), time.Minute, 0},
		"a service with little bandwidth": {
			drips(drip{size: 1 << 20, bytes: 64 << 10}),
			func(o *copier.Options) { o.Backends[0].BandwidthBytes = 1 << 10 }, 2 * time.Minute, 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, test.change)
				b.origin.script(test.answer)
				b.ask("https://drip.test/")
				time.Sleep(test.after)
				synctest.Wait()
				if running := b.value("cloudmirror_copies_running"); running != 1 {
					t.Fatalf("%v copies run", running)
				}
				b.wantSlow(test.slow)
			})
		})
	}
}

// delayed has the origin take a while until it answers.
func delayed(d time.Duration) func(*copier.Options) {
	return func(o *copier.Options) { o.Origin = delayedOrigin{o.Origin.(*scriptedOrigin), d} }
}

type delayedOrigin struct {
	*scriptedOrigin
	delay time.Duration
}

func (d delayedOrigin) Get(ctx context.Context, r origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	if err := pause(ctx, d.delay); err != nil {
		return nil, err
	}
	return d.scriptedOrigin.Get(ctx, r, o)
}

// stored has copies go to a storage.
func stored(s hesitantStorage) func(*copier.Options) {
	return func(o *copier.Options) {
		s.forgetfulStorage = o.Backends[0].Storage.(*forgetfulStorage)
		o.Backends[0].Storage = s
	}
}

// A hesitantStorage waits before it reads a body, and after it has.
type hesitantStorage struct {
	*forgetfulStorage
	before, after time.Duration
}

func (s hesitantStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	if err := pause(ctx, s.before); err != nil {
		return storage.Info{}, err
	}
	info, err := s.forgetfulStorage.Put(ctx, key, body, o)
	return info, cmp.Or(err, pause(ctx, s.after))
}

// The slowest copy makes room in the slow pool. Its job keeps its claim, costs no
// try, and becomes a copy when the origin is fast.
func TestTheSlowestOfTooManyIsHandedBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency = 1 })
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			if o.Host() == "drip2.test" {
				return &drip{ctx: ctx, bytes: 1, every: time.Second}, nil
			}
			return &drip{ctx: ctx, bytes: 8 << 10, every: 400 * time.Millisecond, size: 10 << 20}, nil
		})
		b.dripFrom(5) // four are slow, the fifth comes to them
		time.Sleep(15 * time.Second)
		synctest.Wait()
		for i := range 5 {
			want := cache.Copying
			if i == 2 {
				want = cache.Queued
			}
			if e := b.entry(fmt.Sprintf("https://drip%d.test/", i)); e.State != want || e.Tries != 0 || e.Lapsed(time.Now()) {
				t.Errorf("object %d is %+v, want %v", i, e, want)
			}
		}
		b.wantSlow(4)
		b.origin.script(copiesIn(0))
		if e := b.after(20*time.Second, "https://drip2.test/"); e.State != cache.Present {
			t.Errorf("when its origin is fast it is %+v", e)
		}
		if n := b.queue.sends(); n != 6 {
			t.Errorf("%d messages were sent for 5 jobs, of which one was handed back", n)
		}
		if e := b.after(10*time.Minute, "https://drip0.test/"); e.State != cache.Present {
			t.Errorf("a slow copy is %+v", e)
		}
	})
}

// A job whose copy is the slowest again and again rests longer each time, and then
// has failed once.
func TestTheSlowestDoesNotGoRoundForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Concurrency = 1 })
		b.origin.script(drips(drip{bytes: 8 << 10, every: 400 * time.Millisecond}))
		b.dripFrom(4)
		time.Sleep(time.Minute)
		b.wantSlow(4)
		b.origin.script(silent)
		sent, url := b.queue.sends(), "https://drip.test/slowest"
		b.ask(url)
		began := time.Now()
		for b.entry(url).State != cache.Failed && time.Since(began) < time.Hour {
			time.Sleep(time.Second)
		}
		if took, rests := time.Since(began), 150*time.Second; took < rests || took > 2*rests {
			t.Errorf("it failed after %v, want four rests of together %v and an eighth at most", took, rests)
		}
		if e := b.entry(url); e.Tries != 1 || e.Failure == nil || e.Failure.Permanent || e.Failure.Code != cloudmirror.CodeOriginTimeout {
			t.Errorf("it is %+v: %+v", e, e.Failure)
		}
		if again, asked := b.queue.sends()-sent, b.origin.askedFor(url); again != 5 || asked != 5 {
			t.Errorf("%d messages were sent and the origin asked %d times, want 5 each", again, asked)
		}
		if paused := b.value("cloudmirror_origin_hosts_paused"); paused != 0 {
			t.Errorf("%v hosts are paused", paused)
		}
	})
}

// Anyone can name URLs that are slow on purpose: their host is not to blame.
func TestTheLeastThroughputIsNotChargedToTheHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			if strings.HasSuffix(o.URL(), "/healthy") {
				return bytes.NewReader(nil), nil
			}
			d := aBytePerFiveSeconds()
			d.ctx = ctx
			return &d, nil
		})
		for i := range 20 {
			b.ask(fmt.Sprintf("https://host.test/%d", i))
		}
		if e := b.after(35*time.Second, "https://host.test/0"); e.Failure == nil || e.Tries != 1 || e.Failure.Code != cloudmirror.CodeOriginTimeout || e.Failure.Permanent {
			t.Errorf("a slow object is %+v: %+v", e, e.Failure)
		}
		time.Sleep(3 * time.Minute) // 8 at a time
		b.ask("https://host.test/healthy")
		b.settle()
		if e := b.entry("https://host.test/healthy"); e.State != cache.Present || b.value("cloudmirror_origin_refused_total") != 0 {
			t.Errorf("a healthy object of the host is %+v", e)
		}
	})
}

func TestAStopHandsBackSlowCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(drips(aBytePerFiveSeconds()))
		b.dripFrom(20)
		time.Sleep(10 * time.Second)
		b.wantSlow(20)
		b.stop()
		if n, err := b.queue.Count(t.Context()); err != nil || n.Ready != 20 || n.InFlight != 0 {
			t.Errorf("the queue holds %+v, error %v, want 20 jobs that are ready", n, err)
		}
		b.wantSlow(0)
	})
}
