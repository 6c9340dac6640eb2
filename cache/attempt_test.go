package cache_test

import (
	"errors"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// Every change by the holder of an attempt goes through the same check; each
// case is tried with each of them.
func TestEntryHolder(t *testing.T) {
	tests := []struct {
		name    string
		from    cache.Entry
		attempt string
		want    error
	}{
		{"the holder is accepted", copying, "attempt", nil},
		{"a holder whose lease lapsed is accepted while no other attempt took over", copyingLapsed, "attempt", nil},
		{"another attempt is refused", copying, "other", cache.ErrNotHolder},
		{"another attempt is refused after the lease lapsed", copyingLapsed, "other", cache.ErrNotHolder},
		{"no attempt is refused", copying, "", cache.ErrNotHolder},
		{"queued again: forgotten", queued, "attempt", cache.ErrForgotten},
		{"reserved again: forgotten", reserved, "attempt", cache.ErrForgotten},
		{"fenced: refused", fence, "attempt", cache.ErrNotHolder},
		{"being evicted: refused", evicting, "attempt", cache.ErrNotHolder},
		{"the eviction is over: forgotten", evictingOver, "attempt", cache.ErrForgotten},
		{"present: refused", present, "attempt", cache.ErrNotHolder},
		{"error: refused", failed, "attempt", cache.ErrNotHolder},
		{"purged: refused", tombstone, "attempt", cache.ErrNotHolder},
		{"flushed: forgotten", absent, "attempt", cache.ErrForgotten},
		{"expired: forgotten", presentOver, "attempt", cache.ErrForgotten},
		{"the tombstone is over: forgotten", tombstoneOver, "attempt", cache.ErrForgotten},
		{"expired soon after a purge: refused", purged(presentOver, later), "attempt", cache.ErrNotHolder},
	}
	changes := []struct {
		name  string
		apply func(e cache.Entry, attempt string) (cache.Entry, error)
	}{
		{"Renew", func(e cache.Entry, attempt string) (cache.Entry, error) {
			return e.Renew(now, attempt, lease, cache.Progress{})
		}},
		{"Complete", func(e cache.Entry, attempt string) (cache.Entry, error) {
			return e.Complete(now, attempt, copied, later)
		}},
		{"Fail", func(e cache.Entry, attempt string) (cache.Entry, error) {
			return e.Fail(now, attempt, permanent, memory)
		}},
		{"Postpone", func(e cache.Entry, attempt string) (cache.Entry, error) {
			return e.Postpone(now, attempt, transient)
		}},
		{"Requeue", func(e cache.Entry, attempt string) (cache.Entry, error) {
			return e.Requeue(now, attempt, 0, lease)
		}},
	}
	for _, change := range changes {
		t.Run(change.name, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					before := snapshot(tt.from)
					got, err := change.apply(tt.from, tt.attempt)
					if !errors.Is(err, tt.want) {
						t.Errorf("error %v, want %v", err, tt.want)
					}
					if tt.want != nil {
						check(t, got, before)
					}
					check(t, tt.from, before)
				})
			}
		})
	}
}

func TestEntryRenew(t *testing.T) {
	progress := cache.Progress{DoneBytes: 5, TotalBytes: 9}
	renewed := func(e cache.Entry) cache.Entry {
		return with(e, func(e *cache.Entry) { e.Until, e.Progress = now.Add(lease), progress })
	}
	tests := []struct {
		name string
		from cache.Entry
	}{
		{"the lease and the progress are new, the rest stays", copying},
		{"a lapsed lease is valid again", copyingLapsed},
		{"tries and failure stay", copyingRetry},
		{"the purge before it stays", purged(copying, later)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.from.Renew(now, "attempt", lease, progress)
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, renewed(tt.from))
		})
	}
}

func TestEntryRestore(t *testing.T) {
	restored := cache.Entry{
		State: cache.Copying, Generation: generation, Until: now.Add(lease), Job: "job", Attempt: "attempt",
		Progress: cache.Progress{TotalBytes: -1},
	}
	tests := []struct {
		name string
		from cache.Entry
		want cache.Entry
		err  error
	}{
		{"a flushed entry is put back", absent, restored, nil},
		{"an expired copy is as good as flushed", presentOver, restored, nil},
		{"a tombstone that is over is as good as flushed", tombstoneOver, restored, nil},
		{"the attempt stands in for a job that was queued again", queued, restored, nil},
		{"and for a lapsed one", queuedLapsed, restored, nil},
		{"but not for one of another generation", queuedOld, queuedOld, cache.ErrNotHolder},
		{"the attempt stands in for a job that was reserved again", adopted, restored, nil},
		{"but not for one of a generation that is not known yet", reserved, reserved, cache.ErrNotHolder},
		{"a fence is left alone", fence, fence, cache.ErrNotHolder},
		{"an eviction is left alone", evicting, evicting, cache.ErrNotHolder},
		{"one that is over is as good as flushed", evictingOver, restored, nil},
		{"a running attempt is left alone, even its own", copying, copying, cache.ErrNotHolder},
		{"even a lapsed one", copyingLapsed, copyingLapsed, cache.ErrNotHolder},
		{"present is left alone", present, present, cache.ErrNotHolder},
		{"an error is left alone", failed, failed, cache.ErrNotHolder},
		{"a tombstone is left alone", tombstone, tombstone, cache.ErrNotHolder},
		{"so is the tombstone behind an expired copy", purged(presentOver, later), purged(presentOver, later), cache.ErrNotHolder},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, err := tt.from.Restore(now, "job", "attempt", generation, lease)
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			check(t, got, tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryComplete(t *testing.T) {
	done := cache.Entry{State: cache.Present, Generation: generation, Until: later, Copy: copied}
	tests := []struct {
		name string
		from cache.Entry
		want cache.Entry
	}{
		{"job, attempt and progress are dropped", copying, done},
		{"a lapsed lease that no other attempt took over is enough", copyingLapsed, done},
		{"tries and failure are dropped", copyingRetry, done},
		{"the purge before it stays", purged(copying, later), purged(done, later)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.from.Complete(now, "attempt", copied, later)
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, tt.want)
		})
	}
}

func TestEntryFail(t *testing.T) {
	failure := func(f cache.FailedTry, until time.Time, tries int) cache.Entry {
		return cache.Entry{State: cache.Failed, Generation: generation, Until: until, Job: "job", Tries: tries, Failure: &f}
	}
	tests := []struct {
		name string
		from cache.Entry
		with cache.FailedTry
		want cache.Entry
	}{
		{"a permanent failure stands for its memory", copying, permanent, failure(permanent, now.Add(memory), 1)},
		{"a transient one until a while after its retry", copying, transient, failure(transient, later.Add(failureMemory), 1)},
		{"one more try is counted, the new reason stands", copyingRetry, transient, failure(transient, later.Add(failureMemory), 3)},
		{"a lapsed lease that no other attempt took over is enough", copyingLapsed, permanent, failure(permanent, now.Add(memory), 1)},
		{"the purge before it stays", purged(copying, later), permanent, purged(failure(permanent, now.Add(memory), 1), later)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, err := tt.from.Fail(now, "attempt", tt.with, memory)
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryPostpone(t *testing.T) {
	postponed := func(tries int) cache.Entry {
		return cache.Entry{
			State: cache.Failed, Generation: generation, Until: later.Add(failureMemory), Job: "job", Tries: tries, Failure: &transient,
		}
	}
	tests := []struct {
		name string
		from cache.Entry
		want cache.Entry
	}{
		{"an error until its retry, which costs no try", copying, postponed(0)},
		{"tries before it stay, the new reason stands", copyingRetry, postponed(2)},
		{"the purge before it stays", purged(copying, later), purged(postponed(0), later)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, err := tt.from.Postpone(now, "attempt", transient)
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryDefer(t *testing.T) {
	until := func(e cache.Entry, at time.Time) cache.Entry { e.Until = at; return e }
	tests := []struct {
		name  string
		from  cache.Entry
		job   string
		lease time.Duration
		want  cache.Entry
	}{
		{"a claim is kept", queued, "job", 2 * later.Sub(now), until(queued, now.Add(2*later.Sub(now)))},
		{"a claim that lapsed is kept again", queuedLapsed, "job", lease, until(queuedLapsed, now.Add(lease))},
		{"a claim that is kept for longer stays", queued, "job", later.Sub(now) / 2, queued},
		{"a reservation is kept", reserved, "job", 2 * later.Sub(now), until(reserved, now.Add(2*later.Sub(now)))},
		{"another job's claim stays", queued, "other", 2 * later.Sub(now), queued},
		{"another job's reservation stays", reserved, "other", 2 * later.Sub(now), reserved},
		{"a fence stays", fence, "fence", 2 * later.Sub(now), fence},
		{"an eviction stays", evicting, "evicting", 2 * later.Sub(now), evicting},
		{"a job that was started already stays", copying, "job", 2 * later.Sub(now), copying},
		{"absent stays", absent, "job", lease, absent},
		{"an error stays", failed, "job", lease, failed},
		{"a tombstone stays", tombstone, "job", lease, tombstone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.from.Defer(now, tt.job, 0, tt.lease), tt.want) })
	}
}

func TestEntryDeferSaysUntilWhen(t *testing.T) {
	rested := func(e cache.Entry, since time.Time) cache.Entry {
		e.Until, e.Queueing = now.Add(time.Hour+lease), &cache.Queueing{Since: since, DelayedTo: now.Add(time.Hour)}
		return e
	}
	waiting := with(queued, func(e *cache.Entry) { e.Queueing = &cache.Queueing{Since: longAgo} })
	before := snapshot(waiting)
	check(t, waiting.Defer(now, "job", time.Hour, lease), rested(waiting, longAgo))
	check(t, waiting, before)
	check(t, waiting.Defer(now, "other", time.Hour, lease), waiting)
	old := with(queued, func(e *cache.Entry) { e.Queueing = nil }) // of an older release
	check(t, old.Defer(now, "job", time.Hour, lease), rested(old, now))
	check(t, copying.Defer(now, "job", time.Hour, lease), copying)

	handedBack, err := copying.Requeue(now, "attempt", time.Hour, lease)
	if err != nil {
		t.Fatal(err)
	}
	check(t, handedBack, rested(queued, now))
}

func TestEntryRequeue(t *testing.T) {
	tests := []struct {
		name string
		from cache.Entry
		want cache.Entry
	}{
		{"attempt and progress are dropped, the job stays", copying, queued},
		{"tries and failure stay", copyingRetry, queuedRetry},
		{"the purge before it stays", purged(copying, later), purged(queued, later)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.from.Requeue(now, "attempt", 0, later.Sub(now))
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, tt.want)
		})
	}
}

func TestEntryBackfill(t *testing.T) {
	filled := cache.Entry{State: cache.Present, Generation: generation, Until: later, Copy: copied}
	other := with(present, func(e *cache.Entry) { e.Copy.SHA256 = "beef" })
	tests := []struct {
		name string
		from cache.Entry
		with cloudmirror.Generation
		want cache.Entry
	}{
		{"absent is filled", absent, generation, filled},
		{"an expired copy is filled", with(other, func(e *cache.Entry) { e.Until = now }), generation, filled},
		{"a forgotten error is filled", failedOver, generation, filled},
		{"present stays", other, generation, other},
		{"a queued job stays", queued, generation, queued},
		{"a lapsed job is filled", queuedLapsed, generation, filled},
		{"a lapsed job of another generation stays", queuedLapsed, oldGeneration, queuedLapsed},
		{"an eviction stays", evicting, generation, evicting},
		{"an eviction that is over is filled", evictingOver, generation, filled},
		{"a reservation stays", adopted, generation, adopted},
		{"a lapsed reservation is filled", reservedLapsed, generation, filled},
		{"a lapsed reservation of another generation stays", reservedLapsed, oldGeneration, reservedLapsed},
		{"a running attempt stays", copying, generation, copying},
		{"a lapsed attempt is filled", copyingLapsed, generation, filled},
		{"a lapsed attempt of another generation stays", copyingLapsed, oldGeneration, copyingLapsed},
		{"an error is filled", failed, generation, filled},
		{"a permanent error is filled", failedPermanent, generation, filled},
		{"an error of another generation stays", failed, oldGeneration, failed},
		{"a tombstone is filled by its own generation, and stays behind it", tombstone, generation, purged(filled, later)},
		{"a tombstone refuses what was seen before it", tombstone, oldGeneration, tombstone},
		{"so does the tombstone behind an expired copy", purged(presentOver, later), oldGeneration, tombstone},
		{
			"a tombstone that is over is filled by any generation", tombstoneOver, oldGeneration,
			with(filled, func(e *cache.Entry) { e.Generation = oldGeneration }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Backfill(now, tt.with, copied, later), tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryPurge(t *testing.T) {
	want := cache.Entry{State: cache.Tombstone, Generation: "g2", Until: now.Add(lease), PurgedUntil: now.Add(lease)}
	for name, from := range map[string]cache.Entry{
		"absent": absent, "queued": queued, "copying": copying, "present": present,
		"error": failed, "tombstone": tombstone, "reserved": reserved, "fenced": fence, "evicting": evicting, "purged before": purged(present, later),
	} {
		t.Run(name+" is replaced, and nothing of it stays", func(t *testing.T) {
			before := snapshot(from)
			check(t, from.Purge(now, "g2", lease), want)
			check(t, from, before)
		})
	}
}

func TestEntryFence(t *testing.T) {
	fresh := with(fence, func(e *cache.Entry) { e.Until = now.Add(lease) })
	tests := []struct {
		name       string
		from, want cache.Entry
	}{
		{"absence", absent, fresh},
		{"what is over", presentOver, fresh},
		{"a copy stays", present, present},
		{"a job stays", queued, queued},
		{"a reservation stays", reserved, reserved},
		{"a tombstone stays", tombstone, tombstone},
		{"another fence stays", fence, fence},
		{"an eviction stays", evicting, evicting},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Fence(now, "fence", generation, lease), tt.want)
			check(t, tt.from, before)
		})
	}
	t.Run("is filled by its own generation, and leaves nothing behind", func(t *testing.T) {
		filled := cache.Entry{State: cache.Present, Generation: generation, Until: later, Copy: copied}
		check(t, fence.Backfill(now, generation, copied, later), filled)
		check(t, fence.Backfill(now, oldGeneration, copied, later), fence)
	})
}

func TestEntryUnfenceAndAbandon(t *testing.T) {
	for name, from := range map[string]cache.Entry{
		"absent": absent, "reserved": reserved, "queued": queued, "copying": copying, "present": present,
		"error": failed, "tombstone": tombstone, "fenced": fence, "evicting": evicting,
	} {
		t.Run(name, func(t *testing.T) {
			unfenced, abandoned := from, from
			switch name {
			case "fenced":
				unfenced = absent
			case "copying":
				abandoned = absent
			}
			check(t, from.Unfence(), unfenced)
			check(t, from.Abandon("attempt"), abandoned)
			check(t, from.Abandon("other"), from)
		})
	}
}
