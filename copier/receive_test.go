package copier_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/copier"
)

// A copier receives no more jobs than it has slots for, also from a queue that
// answers at once: another process could work on them. What waits for a busy host
// counts for none.
func TestACopierReceivesWhatItHasSlotsFor(t *testing.T) {
	t.Parallel()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, func(o *copier.Options) { o.Concurrency = 4 })
			b.origin.script(copiesIn(time.Second))
			b.ask("https://host0.test/")
			b.after(time.Second, "https://host0.test/") // the copier waits for messages
			for i := range 60 {
				b.ask(fmt.Sprintf("https://host%d.test/", i))
			}
			time.Sleep(time.Second / 2)
			if n, err := b.queue.Count(t.Context()); err != nil || n.InFlight != 4 {
				t.Errorf("%+v, error %v, want 4 in flight", n, err)
			}
		})
	}
}
