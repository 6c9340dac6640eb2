package copier_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/cache"
	"cloudmirror/copier"
)

// A flood of jobs of one slow host: never more copies of it at a time than its
// bound, all of them in the end, and not many more messages than jobs.
func TestAFloodOfOneHost(t *testing.T) {
	const objects, took = 10_000, time.Second
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(took))
		began := time.Now()
		for i := range objects {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		sent, deadline := b.queue.sends(), began.Add(2*objects/8*took)
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
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		b.origin.script(copiesIn(time.Hour))
		for i := range 5_000 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		synctest.Wait()
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

func TestWithoutABoundAHostHasEverySlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Manners.CopiesPerHost = 0 })
		b.origin.script(copiesIn(time.Minute))
		for i := range 100 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		synctest.Wait()
		if most := b.origin.mostOf("slow.test"); most != 16 {
			t.Errorf("%d copies of the host run, want 16", most)
		}
	})
}

// What waits for the turn of its host goes back to the queue as soon as the
// copier stops, however long running copies may go on.
func TestAStopHandsBackWhatWaitsForItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(o *copier.Options) { o.Grace = 2 * time.Hour })
		b.origin.script(copiesIn(time.Hour))
		for i := range 50 {
			b.ask(fmt.Sprintf("https://slow.test/%d", i))
		}
		synctest.Wait()
		go b.stop()
		synctest.Wait()
		if n, err := b.queue.Count(t.Context()); err != nil || n.Ready != 42 || n.InFlight != 8 {
			t.Errorf("the queue holds %+v, error %v, want 42 jobs that are ready and 8 that run", n, err)
		}
	})
}
