package copier_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/copier"
	"cloudmirror/queue"
)

// A flood of jobs of one slow host: never more copies of it at a time than its
// bound, all of them in the end, and not many more messages than jobs.
func TestAFloodOfOneHost(t *testing.T) {
	t.Parallel()
	const took = time.Second
	objects := 4000
	if testing.Short() { // with the race detector, which bears at most 8,128 goroutines
		objects = 500
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(took))
		began := time.Now()
		for i := range objects {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		sent, deadline := b.queue.sends(), began.Add(time.Duration(2*objects/8)*took)
		for i := range objects {
			for b.entry(fmt.Sprintf("https://slow.test/%d", i)).State != cache.Present {
				if time.Now().After(deadline) {
					t.Fatalf("after %v object %d is %+v", time.Since(began), i, b.entry(fmt.Sprintf("https://slow.test/%d", i)))
				}
				time.Sleep(time.Second)
			}
		}
		t.Logf("%d copies took %v, and %d messages more", objects, time.Since(began), b.queue.sends()-sent)
		if most := b.origin.mostOf("slow.test"); most != 8 {
			t.Errorf("%d copies of the host ran at a time, want 8", most)
		}
		if n := b.origin.asked(); n != objects {
			t.Errorf("the origin was asked %d times, want once for each of %d objects", n, objects)
		}
		if again := b.queue.sends() - sent; again > 4*objects {
			t.Errorf("%d messages were sent again for %d jobs", again, objects)
		}
	})
}

// Jobs of other hosts behind a flood are copied at once, in spite of a host that
// never ends a copy.
func TestAFloodOfOneHostDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(time.Hour))
		for i := range 500 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		b.settle() // eight of them run
		b.origin.script(copiesIn(time.Second))
		for i := range 100 {
			b.ask(fmt.Sprintf("https://host%d.test/", i))
		}
		for i := range 100 {
			if e := b.wait(fmt.Sprintf("https://host%d.test/", i), 28*time.Second); e.State != cache.Present {
				t.Fatalf("host %d: %+v", i, e)
			}
		}
		if waiting := b.value("cloudmirror_copies_waiting"); waiting != 64 {
			t.Errorf("%v jobs wait for the slow host, want 64", waiting)
		}
	})
}

// Many hosts may redirect to one: the one that serves the bytes has its bound too.
func TestAHostThatOthersRedirectTo(t *testing.T) {
	t.Parallel()
	const objects = 100
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost, o.Concurrency = 2, 50 })
		b.origin.redirect = func(o cloudmirror.Object) (to string) {
			if o.Host() != "cdn.test" {
				to = "https://cdn.test/object"
			}
			return to
		}
		var running, most, total atomic.Int64
		b.origin.script(func(context.Context, cloudmirror.Object) (io.Reader, error) {
			return &slowBody{took: time.Second, running: &running, most: &most, total: &total}, nil
		})
		for i := range objects {
			go func() {
				url := fmt.Sprintf("https://host%d.test/", i)
				if e := b.wait(url, time.Hour); e.State != cache.Present {
					t.Errorf("%s is %+v", url, e)
				}
			}()
		}
		time.Sleep(time.Hour)
		if most.Load() != 2 || total.Load() != objects {
			t.Errorf("%d bodies were read at a time, want 2; %d in all, want %d", most.Load(), total.Load(), objects)
		}
		if n := b.value("cloudmirror_origin_hosts_paused"); n != 0 || b.origin.asked() > 4*objects {
			t.Errorf("%v hosts are paused; %d requests for %d objects", n, b.origin.asked(), objects)
		}
		t.Logf("%d requests for %d objects", b.origin.asked(), objects)
	})
}

// A slowBody is one byte that takes its time, and is counted meanwhile.
type slowBody struct {
	took                 time.Duration
	running, most, total *atomic.Int64
	begun                bool
}

func (s *slowBody) Read(p []byte) (int, error) {
	if s.begun {
		return 0, io.EOF
	}
	s.begun = true
	s.total.Add(1)
	if n := s.running.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.running.Add(-1)
	time.Sleep(s.took)
	return copy(p, "!"), nil
}

func TestWithoutABoundAHostHasEverySlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost = 0 })
		b.origin.script(copiesIn(time.Minute))
		for i := range 100 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		b.settle()
		if most := b.origin.mostOf("slow.test"); most != 16 {
			t.Errorf("%d copies of the host run, want 16", most)
		}
	})
}

// What waits for the turn of its host goes back to the queue as soon as the
// copier stops, however long running copies may go on.
func TestAStopHandsBackWhatWaitsForItsHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Grace = 2 * time.Hour })
		b.origin.script(copiesIn(time.Hour))
		for i := range 50 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		b.settle()
		go b.stop()
		synctest.Wait()
		if n, err := b.queue.Count(t.Context()); err != nil || n.Ready != 42 || n.InFlight != 8 {
			t.Errorf("the queue holds %+v, error %v, want 42 jobs that are ready and 8 that run", n, err)
		}
	})
}

// A job that waits for hours in a copier is not taken for lost: its copier
// keeps the claim.
func TestAJobThatWaitsForItsHostKeepsItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Limits.CopiesPerHost = 1 })
		b.origin.script(copiesIn(2 * time.Hour))
		b.ask("https://slow.test/first")
		synctest.Wait()
		if e := b.wait("https://slow.test/second", 5*time.Hour); e.State != cache.Present {
			t.Errorf("the second copy is %+v", e)
		}
		if n := b.queue.sends(); n != 2 {
			t.Errorf("%d messages were sent for two jobs", n)
		}
	})
}

// Jobs of a fast host wait in the copier, where they get their turns sooner than
// any message that is put back.
func TestAFloodOfAFastHostIsNotDeferred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(20 * time.Millisecond))
		for i := range 100 { // its pace is known
			url := fmt.Sprintf("https://fast.test/first/%d", i)
			b.ask(url)
			b.wait(url, time.Second)
		}
		before := b.queue.sends()
		for i := range 500 {
			b.ask(fmt.Sprintf("https://fast.test/%d", i))
		}
		for i := range 500 {
			if e := b.wait(fmt.Sprintf("https://fast.test/%d", i), 28*time.Second); e.State != cache.Present {
				t.Fatalf("object %d: %+v", i, e)
			}
		}
		if sent := b.queue.sends() - before; sent != 500 {
			t.Errorf("%d messages were sent for 500 jobs", sent)
		}
	})
}

// The first copies of a host may be slow by chance. The messages that are put back
// meanwhile must come in time for the clients that wait.
func TestASlowStartDefersNobodyForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		began := time.Now()
		b.origin.script(func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
			took := 20 * time.Millisecond
			if time.Since(began) < 2*time.Second {
				took = 2 * time.Second
			}
			return copiesIn(took)(ctx, o)
		})
		for i := range 1000 {
			b.ask(fmt.Sprintf("https://fast.test/%d", i))
		}
		for i := range 1000 {
			url := fmt.Sprintf("https://fast.test/%d", i)
			if e := b.wait(url, time.Until(began.Add(28*time.Second))); e.State != cache.Present {
				t.Fatalf("%s after %v: %+v", url, time.Since(began), e)
			}
		}
		t.Logf("all copies took %v", time.Since(began))
	})
}

// hangingAcks is a queue whose acknowledgements take long.
type hangingAcks struct{ queue.Queue }

func (q hangingAcks) Ack(ctx context.Context, d queue.Delivery) error {
	time.Sleep(10 * time.Second)
	return q.Queue.Ack(ctx, d)
}

// An acknowledgement may wait for others to go with it. Copies do not wait for it.
func TestCopiesDoNotWaitForAcknowledgements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) {
			o.Concurrency, o.Backends[0].Queue = 1, hangingAcks{o.Backends[0].Queue}
		})
		for i := range 5 {
			b.ask(fmt.Sprintf("https://fast.test/%d", i))
		}
		for i := range 5 {
			if e := b.wait(fmt.Sprintf("https://fast.test/%d", i), 5*time.Second); e.State != cache.Present {
				t.Errorf("object %d: %+v", i, e)
			}
		}
	})
}

// An origin that takes longer for its first byte than the lease of the entry lasts is
// asked once, also if clients go on asking: the lease is renewed meanwhile.
func TestALateFirstByteIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Visibility = 10 * time.Second })
		b.origin.script(copiesIn(59 * time.Second))
		b.ask("https://late.test/a")
		if e := b.wait("https://late.test/a", time.Minute); e.State != cache.Present {
			t.Errorf("the entry is %+v", e)
		}
		if n := b.origin.asked(); n != 1 {
			t.Errorf("the origin was asked %d times", n)
		}
	})
}
