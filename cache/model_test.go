package cache_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cloudmirror"
	"cloudmirror/cache"
)

// TestEntryModel lets many clients, copiers, purges, flushes and clock steps do
// as they like to one entry, each with whatever it once knew, and compares the
// entry with a model that is simple enough to be right.
func TestEntryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(newWorld()))
	})
}

const (
	queueLease  = 5 * time.Minute
	copyLease   = 30 * time.Second
	purgeLife   = 2 * time.Minute
	copyLife    = 90 * time.Second // shorter than purgeLife: a copy may expire before its purge is over
	longestWait = queueLease + copyLease + purgeLife + copyLife + memory + failureMemory
)

// A world is one entry, all jobs, attempts and evictions that ever knew of it, and the
// model: which of them holds it, and what is fenced off by a purge.
type world struct {
	entry cache.Entry
	now   time.Time
	ids   int

	generations []cloudmirror.Generation // oldest first
	jobs        []work
	attempts    []work
	evictions   []string

	evictor  string    // the eviction that holds the entry, or ""
	safeTill time.Time // the end of its lease
	holder   string    // the attempt that holds the entry, or ""
	heldTill time.Time // the end of its lease
	won      bool      // a claim was won, and what it began is not over
	fence    int       // the index of the oldest generation that may come back; 0: no purge
	fenceEnd time.Time // until when that is sure
}

// Work is what a caller was told to do, perhaps long ago.
type work struct {
	job, attempt string
	generation   cloudmirror.Generation
}

func newWorld() *world {
	return &world{entry: absent, now: now, generations: []cloudmirror.Generation{oldGeneration}}
}

func (w *world) newID() string {
	w.ids++
	return fmt.Sprintf("id%d", w.ids)
}

func (w *world) anyGeneration(t *rapid.T) cloudmirror.Generation {
	return rapid.SampledFrom(w.generations).Draw(t, "generation")
}

func anyOf(t *rapid.T, all []work) work {
	if len(all) == 0 {
		t.Skip("none yet")
	}
	return rapid.SampledFrom(all).Draw(t, "work")
}

// set stores what became of the entry, as a store would: encoded.
func (w *world) set(t *rapid.T, next cache.Entry) {
	if next = next.At(w.now); next.State == cache.Absent {
		w.entry = next
		return
	}
	stored, err := cache.Decode(next.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(next, stored); diff != "" {
		t.Fatalf("stored entry (-want +got):\n%s", diff)
	}
	w.entry = stored
}

// others applies a change by an actor that does not hold the entry: the valid lease
// of an attempt survives it, and that of an eviction.
func (w *world) others(t *rapid.T, change func(cache.Entry) cache.Entry) {
	before := snapshot(w.entry)
	next := change(w.entry)
	if diff := cmp.Diff(before, w.entry); diff != "" {
		t.Fatalf("the receiver changed (-before +after):\n%s", diff)
	}
	if w.holder != "" && w.now.Before(w.heldTill) && (next.State != cache.Copying || next.Attempt != w.holder) {
		t.Fatalf("%s lost its valid lease", w.holder)
	}
	if w.evictor != "" && w.now.Before(w.safeTill) && (next.State != cache.Evicting || next.Job != w.evictor) {
		t.Fatalf("%s was to remove the copy alone, and now the entry is %s", w.evictor, next.State)
	}
	w.set(t, next)
}

// holders applies a change by an attempt: it is accepted if, and only if, that
// attempt holds the entry.
func (w *world) holders(t *rapid.T, attempt string, change func(cache.Entry) (cache.Entry, error)) {
	before := snapshot(w.entry)
	next, err := change(w.entry)
	if diff := cmp.Diff(before, w.entry); diff != "" {
		t.Fatalf("the receiver changed (-before +after):\n%s", diff)
	}
	state := w.entry.At(w.now).State
	switch forgot := state == cache.Absent || state == cache.Reserved || state == cache.Queued; {
	case attempt == w.holder && err != nil:
		t.Fatalf("%s holds the entry and is refused: %v", attempt, err)
	case attempt != w.holder && forgot != errors.Is(err, cache.ErrForgotten):
		t.Fatalf("%s asked about an entry that is %s; got %v", attempt, state, err)
	case attempt != w.holder && !forgot && !errors.Is(err, cache.ErrNotHolder):
		t.Fatalf("%q holds the entry, but %s gets %v", w.holder, attempt, err)
	case err == nil:
		w.set(t, next)
	}
}

func (w *world) hold(t *rapid.T, attempt string) {
	if w.holder != "" && w.now.Before(w.heldTill) {
		t.Fatalf("%s holds the entry, and now %s", w.holder, attempt)
	}
	w.holder, w.heldTill = attempt, w.now.Add(copyLease)
}

func (w *world) Tick(t *rapid.T) {
	steps := []time.Duration{time.Millisecond, time.Second, copyLease, time.Minute, queueLease, 2 * time.Hour}
	w.now = w.now.Add(rapid.SampledFrom(steps).Draw(t, "step"))
	if w.entry.State != cache.Absent && w.entry.KeepFor(w.now) <= 0 {
		w.entry = absent // the store dropped it
	}
}

func (w *world) Flush(*rapid.T) {
	w.entry, w.holder, w.evictor, w.fence = absent, "", "", 0
}

func (w *world) Purge(t *rapid.T) {
	g := cloudmirror.Generation(w.newID())
	w.generations = append(w.generations, g)
	w.fence, w.fenceEnd = len(w.generations)-1, w.now.Add(purgeLife)
	w.holder, w.evictor = "", ""
	w.others(t, func(e cache.Entry) cache.Entry { return e.Purge(w.now, g, purgeLife) })
}

func (w *world) Claim(t *rapid.T) {
	before, job := w.entry.At(w.now), w.newID()
	var outcome cache.ClaimOutcome
	w.others(t, func(e cache.Entry) cache.Entry {
		e, outcome = e.Claim(w.now, job, w.anyGeneration(t), queueLease)
		return e
	})
	switch outcome {
	case cache.ClaimWon:
		if w.won {
			t.Fatalf("won again, from %s", before.State)
		}
		w.won = true
	case cache.ClaimResend:
		if w.entry.Job != before.Job || !before.Lapsed(w.now) {
			t.Fatalf("job %s is sent again as %s", before.Job, w.entry.Job)
		}
	default:
		if diff := cmp.Diff(before, w.entry.At(w.now)); diff != "" {
			t.Fatalf("a claim that was not won changed the entry:\n%s", diff)
		}
		return
	}
	w.jobs = append(w.jobs, work{job: w.entry.Job, generation: w.entry.Generation})
}

func (w *world) Reserve(t *rapid.T) {
	before, job := w.entry.At(w.now), w.newID()
	w.others(t, func(e cache.Entry) cache.Entry { return e.Reserve(w.now, job, job, queueLease) })
	if before.State != cache.Absent {
		if diff := cmp.Diff(before, w.entry.At(w.now)); diff != "" {
			t.Fatalf("a reservation over %s changed it:\n%s", before.State, diff)
		}
		return
	}
	w.won = true
	w.jobs = append(w.jobs, work{job: job, generation: w.entry.Generation})
}

func (w *world) Adopt(t *rapid.T) {
	drawn, reserved := anyOf(t, w.jobs), w.entry
	w.others(t, func(e cache.Entry) cache.Entry {
		adopted, err := e.Adopt(drawn.job, w.anyGeneration(t))
		if is := reserved.State == cache.Reserved && reserved.Nonce == drawn.job; is != (err == nil) {
			t.Fatalf("%s adopts, with %s standing: %v", drawn.job, reserved.Nonce, err)
		}
		return adopted
	})
}

func (w *world) Discover(t *rapid.T) {
	drawn, reserved := anyOf(t, w.jobs), w.entry
	w.others(t, func(e cache.Entry) cache.Entry {
		found, err := e.Discover(drawn.job, w.anyGeneration(t), copied, w.now.Add(copyLife))
		if is := reserved.State == cache.Reserved && reserved.Nonce == drawn.job; is != (err == nil) {
			t.Fatalf("%s discovers, with %s standing: %v", drawn.job, reserved.Nonce, err)
		}
		return found
	})
}

func (w *world) Release(t *rapid.T) {
	drawn := anyOf(t, w.jobs)
	w.others(t, func(e cache.Entry) cache.Entry { return e.Release(w.now, drawn.job) })
}

func (w *world) Forgive(t *rapid.T) {
	w.others(t, func(e cache.Entry) cache.Entry { return e.Forgive(w.now, w.anyGeneration(t)) })
}

func (w *world) Lose(t *rapid.T) {
	before, g := w.entry.At(w.now), w.anyGeneration(t)
	w.others(t, func(e cache.Entry) cache.Entry { return e.Lose(w.now, g) })
	after := w.entry.At(w.now)
	if before.State == cache.Present && before.Generation == g {
		if after.State != cache.Absent && after.State != cache.Tombstone {
			t.Fatalf("a copy that was lost leaves %s", after.State)
		}
	} else if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("a lost copy of generation %s changed %s of %s:\n%s", g, before.State, before.Generation, diff)
	}
}

func (w *world) Start(t *rapid.T) {
	drawn := anyOf(t, w.jobs)
	drawn.attempt = w.newID()
	var outcome cache.StartOutcome
	w.others(t, func(e cache.Entry) cache.Entry {
		e, outcome = e.Start(w.now, drawn.job, drawn.attempt, drawn.generation, copyLease)
		return e
	})
	if outcome == cache.StartWon {
		w.hold(t, drawn.attempt)
		w.attempts = append(w.attempts, drawn)
	}
}

func (w *world) Restore(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	before := w.entry.At(w.now)
	var err error
	w.others(t, func(e cache.Entry) cache.Entry {
		e, err = e.Restore(w.now, drawn.job, drawn.attempt, drawn.generation, copyLease)
		return e
	})
	may := before.State == cache.Absent || before.Queues() && before.Generation == drawn.generation
	if restored := err == nil; restored != may {
		t.Fatalf("restore over %s: %v", before.State, err)
	} else if restored {
		w.hold(t, drawn.attempt)
	}
}

func (w *world) Renew(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	w.holders(t, drawn.attempt, func(e cache.Entry) (cache.Entry, error) {
		return e.Renew(w.now, drawn.attempt, copyLease, cache.Progress{DoneBytes: 1, TotalBytes: 2})
	})
	if drawn.attempt == w.holder {
		w.heldTill = w.now.Add(copyLease)
	}
}

func (w *world) Complete(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	w.holders(t, drawn.attempt, func(e cache.Entry) (cache.Entry, error) {
		return e.Complete(w.now, drawn.attempt, copied, w.now.Add(copyLife))
	})
}

func (w *world) Fail(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	f := cache.FailedTry{Code: cloudmirror.CodeOriginTimeout, RetryAt: w.now.Add(copyLease)}
	if f.Permanent = rapid.Bool().Draw(t, "permanent"); f.Permanent {
		f.RetryAt = time.Time{}
	}
	w.holders(t, drawn.attempt, func(e cache.Entry) (cache.Entry, error) {
		return e.Fail(w.now, drawn.attempt, f, memory)
	})
}

func (w *world) Postpone(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	w.holders(t, drawn.attempt, func(e cache.Entry) (cache.Entry, error) {
		return e.Postpone(w.now, drawn.attempt, cache.FailedTry{Code: cloudmirror.CodeOriginPaused, RetryAt: w.now.Add(copyLease)})
	})
}

func (w *world) Requeue(t *rapid.T) {
	drawn := anyOf(t, w.attempts)
	w.holders(t, drawn.attempt, func(e cache.Entry) (cache.Entry, error) {
		return e.Requeue(w.now, drawn.attempt, rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "delay"), queueLease)
	})
}

func (w *world) Backfill(t *rapid.T) {
	w.others(t, func(e cache.Entry) cache.Entry {
		return e.Backfill(w.now, w.anyGeneration(t), copied, w.now.Add(copyLife))
	})
}

func (w *world) Fence(t *rapid.T) {
	w.others(t, func(e cache.Entry) cache.Entry {
		return e.Fence(w.now, w.newID(), w.anyGeneration(t), copyLease)
	})
}

// Check is called between the actions.
func (w *world) Check(t *rapid.T) {
	e := w.entry.At(w.now)
	switch e.State {
	case cache.Absent, cache.Failed, cache.Tombstone, cache.Fenced, cache.Evicting:
		w.won = false
	case cache.Reserved, cache.Queued, cache.Copying, cache.Present:
	}
	if e.State != cache.Copying {
		w.holder = ""
	} else if e.Attempt != w.holder {
		t.Fatalf("%s is copying, the model says %q", e.Attempt, w.holder)
	}
	w.checkFence(t, e)
	w.checkNotStuck(t, e)
}

// checkFence checks that a purge sticks: for the tombstone's life at least, and
// for as long as what is drawn descends from it.
func (w *world) checkFence(t *rapid.T, e cache.Entry) {
	if w.fence == 0 {
		return
	}
	if e.State == cache.Absent {
		if w.now.Before(w.fenceEnd) {
			t.Fatalf("the purge is forgotten %v too early", w.fenceEnd.Sub(w.now))
		}
		w.fence = 0
		return
	}
	if slices.Index(w.generations, e.Generation) < w.fence {
		t.Fatalf("%s of generation %s after the purge that made %s", e.State, e.Generation, w.generations[w.fence])
	}
}

// checkNotStuck checks that a client that keeps looking and claiming comes to a job or a
// copy, though no other caller does anything.
func (w *world) checkNotStuck(t *rapid.T, e cache.Entry) {
	newest := w.generations[len(w.generations)-1]
	for at := w.now; !at.After(w.now.Add(longestWait)); at = at.Add(copyLease) {
		var outcome cache.ClaimOutcome
		switch e, outcome = e.Claim(at, "job", newest, queueLease); outcome {
		case cache.ClaimWon, cache.ClaimResend, cache.ClaimPresent:
			return
		case cache.ClaimPending, cache.ClaimFailed, cache.ClaimStale:
		}
	}
	t.Fatalf("stuck in %s", e.State)
}
