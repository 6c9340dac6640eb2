package copier_test

import (
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
	"cloudmirror/storage"
)

// A narrowStorage has memory for a number of copies, as that of S3 has: a copy waits
// for it once it has a beginning, or, if there is little memory, before it is read,
// and keeps it to its end.
type narrowStorage struct {
	*forgetfulStorage
	memory    chan struct{}
	beginning int64
}

func (s narrowStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	if n, err := io.CopyN(io.Discard, body, s.beginning); err == io.EOF { //nolint:errorlint // io.CopyN returns io.EOF itself, unwrapped
		return s.forgetfulStorage.Put(ctx, key, strings.NewReader(strings.Repeat("x", int(n))), o)
	} else if err != nil {
		return storage.Info{}, err
	}
	select {
	case s.memory <- struct{}{}:
		defer func() { <-s.memory }()
	case <-ctx.Done():
		return storage.Info{}, ctx.Err()
	}
	return s.forgetfulStorage.Put(ctx, key, body, o)
}

// narrow gives all backends a storage with the memory of 192 MiB in parts of 16 MiB.
func narrow(o *copier.Options, beginning int64) (memory chan struct{}) {
	memory = make(chan struct{}, 11)
	for i := range o.Backends {
		o.Backends[i].Storage = narrowStorage{o.Backends[i].Storage.(*forgetfulStorage), memory, beginning}
	}
	return memory
}

// Slow copies do not hold the memory that others wait for: none before its origin
// has sent 64 KiB, and then not for long.
func TestSlowCopiesDoNotHoldMemory(t *testing.T) {
	t.Parallel()
	aByte, soonSlow := drip{bytes: 1, every: 5 * time.Second}, drip{at: 64 << 10, bytes: 3 << 10, every: 2 * time.Second}
	tests := map[string]struct {
		drip      drip
		beginning int64
		queued    time.Duration // how long an object takes that is behind 100 of them
		within    time.Duration // how long one takes that comes later
		held      int           // for how many copies there is memory held at the end, at most
	}{
		"a byte every 5 s":                                             {aByte, 64 << 10, 15 * time.Second, 5 * time.Second, 0},
		"64 KiB at once, then 1.5 KiB/s":                               {soonSlow, 64 << 10, 15 * time.Second, 5 * time.Second, 11},
		"a byte every 5 s, and no memory for beginnings":               {aByte, 0, 30 * time.Second, 10 * time.Second, 11},
		"64 KiB at once, then 1.5 KiB/s, and no memory for beginnings": {soonSlow, 0, 30 * time.Second, 10 * time.Second, 11},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var memory chan struct{}
				b := newBubble(t, func(o *copier.Options) { memory = narrow(o, test.beginning) })
				b.origin.script(drips(test.drip))
				b.dripFrom(100)
				time.Sleep(time.Millisecond) // the queue orders jobs by time
				b.wantWithin(test.queued, "https://healthy.test/behind", backendID)
				time.Sleep(time.Minute)
				for i := range 60 {
					time.Sleep(time.Second)
					b.wantWithin(test.within, fmt.Sprintf("https://healthy%d.test/", i), backendID)
				}
				if len(memory) > test.held {
					t.Errorf("%d copies hold memory, want %d at most", len(memory), test.held)
				}
			})
		})
	}
}

// Copies that wait for memory have nothing handed back that is fast, or was until a
// moment ago.
func TestMemoryIsNotTakenFromFastCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { narrow(o, 64<<10) })
		began := time.Now()
		b.origin.script(func(ctx context.Context, _ cloudmirror.Object) (io.Reader, error) {
			return readerFunc(func(p []byte) (int, error) {
				since := time.Since(began)
				if stalls := since > time.Minute && since < time.Minute+20*time.Second; stalls {
					return 1, pause(ctx, time.Second)
				}
				if since > 2*time.Minute {
					return 0, io.EOF
				}
				return len(p), pause(ctx, 80*time.Millisecond)
			}), nil
		})
		for i := range 16 { // five too many for the memory
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		time.Sleep(time.Minute + 10*time.Second)
		b.wantSlow(11)
		for i := range 16 {
			if e := b.after(10*time.Second, fmt.Sprintf("https://host%d.test/", i)); e.State != cache.Present && e.State != cache.Copying {
				t.Errorf("object %d is %+v", i, e)
			}
		}
		if n := b.queue.sends(); n != 16 {
			t.Errorf("%d messages were sent for 16 jobs", n)
		}
	})
}

// Copies that wait for a part have none handed back that hold only a beginning: it
// would bring them nothing. What drips keeps its slot in the slow pool.
func TestMemoryIsNotTakenWhereItIsOfNoUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { narrow(o, 64<<10) })
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			d := drip{ctx: ctx, bytes: 1, every: 5 * time.Second}
			if !strings.HasPrefix(o.Host(), "drip") {
				d.bytes, d.every = 8<<10, 80*time.Millisecond
			}
			return &d, nil
		})
		b.dripFrom(3)
		for i := range 13 { // two too many for the memory
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		time.Sleep(time.Minute)
		b.wantSlow(3)
		if n := b.queue.sends(); n != 16 {
			t.Errorf("%d messages were sent for 16 jobs", n)
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
