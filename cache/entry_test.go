package cache_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
)

// The tables below look at entries at the time now. Those whose name says so
// end exactly then: a lease or a life is over at its end, not behind it.
var (
	now   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later = now.Add(time.Minute)
)

const (
	oldGeneration = cloudmirror.FirstGeneration
	generation    = cloudmirror.Generation("g1")

	lease  = 5 * time.Minute
	memory = 30 * time.Second

	// failureMemory is how long the tries of a transient failure are remembered
	// after its retry is due.
	failureMemory = time.Minute
)

var (
	copied    = cache.Copy{SizeBytes: 7, SHA256: "feed", StoredAt: now.Add(-time.Hour)}
	transient = cache.FailedTry{Code: cloudmirror.CodeOriginTimeout, Message: "too slow", RetryAt: later}
	due       = cache.FailedTry{Code: cloudmirror.CodeOriginTimeout, Message: "too slow", RetryAt: now}
	permanent = cache.FailedTry{Code: cloudmirror.CodeOriginStatus, Message: "not found", Status: 404, Permanent: true}
)

var longAgo = now.Add(-time.Hour)

// The entries that the tables start from.
var (
	absent = cache.Entry{State: cache.Absent}

	queued       = cache.Entry{State: cache.Queued, Generation: generation, Until: later, Job: "job", Queueing: &cache.Queueing{Since: now}}
	queuedLapsed = with(queued, func(e *cache.Entry) { e.Until = now })
	queuedOld    = with(queued, func(e *cache.Entry) { e.Generation = oldGeneration })
	queuedRetry  = with(queued, func(e *cache.Entry) { e.Tries, e.Failure = 2, &due })

	copying = cache.Entry{
		State: cache.Copying, Generation: generation, Until: later, Job: "job", Attempt: "attempt",
		Progress: cache.Progress{DoneBytes: 3, TotalBytes: 7},
	}
	copyingLapsed = with(copying, func(e *cache.Entry) { e.Until = now })
	copyingRetry  = with(copying, func(e *cache.Entry) { e.Tries, e.Failure = 2, &due })

	present     = cache.Entry{State: cache.Present, Generation: generation, Until: later, Copy: copied}
	presentOver = with(present, func(e *cache.Entry) { e.Until = now })

	failed          = cache.Entry{State: cache.Failed, Generation: generation, Until: later.Add(failureMemory), Job: "job", Tries: 3, Failure: &transient}
	failedDue       = with(failed, func(e *cache.Entry) { e.Failure, e.Until = &due, now.Add(failureMemory) })
	failedPermanent = cache.Entry{State: cache.Failed, Generation: generation, Until: later, Job: "job", Tries: 1, Failure: &permanent}
	failedOver      = with(failed, func(e *cache.Entry) { e.Until = now })

	fence     = cache.Entry{State: cache.Fenced, Generation: generation, Until: later, Job: "fence"}
	fenceOver = with(fence, func(e *cache.Entry) { e.Until = now })

	evicting     = cache.Entry{State: cache.Evicting, Generation: generation, Until: later, Job: "evicting"}
	evictingOver = with(evicting, func(e *cache.Entry) { e.Until = now })

	tombstone     = cache.Entry{State: cache.Tombstone, Generation: generation, Until: later, PurgedUntil: later}
	tombstoneOver = cache.Entry{State: cache.Tombstone, Generation: generation, Until: now, PurgedUntil: now}
)

// with returns e after a change; e itself stays as it is.
func with(e cache.Entry, change func(*cache.Entry)) cache.Entry {
	change(&e)
	return e
}

// purged returns e as it is if it follows on a purge whose tombstone lives
// until end.
func purged(e cache.Entry, end time.Time) cache.Entry {
	return with(e, func(e *cache.Entry) { e.PurgedUntil = end })
}

func TestEntryAt(t *testing.T) {
	tests := []struct {
		name string
		from cache.Entry
		want cache.Entry
	}{
		{"absent stays absent", absent, absent},
		{"queued stays", queued, queued},
		{"a lapsed queued entry stays, to be taken over", queuedLapsed, queuedLapsed},
		{"a reservation stays", reserved, reserved},
		{"a lapsed reservation stays, to be taken over", reservedLapsed, reservedLapsed},
		{"copying stays", copying, copying},
		{"a lapsed copying entry stays, to be taken over", copyingLapsed, copyingLapsed},
		{"present stays", present, present},
		{"an expired copy is absent", presentOver, absent},
		{"an error stays", failed, failed},
		{"an error whose retry is due stays, with its tries", failedDue, failedDue},
		{"a forgotten error is absent", failedOver, absent},
		{"a tombstone stays", tombstone, tombstone},
		{"a tombstone ends", tombstoneOver, absent},
		{"a fence stays", fence, fence},
		{"a fence ends", fenceOver, absent},
		{"an eviction stays", evicting, evicting},
		{"an eviction whose lease lapsed is over", evictingOver, absent},
		{"a copy that expires while its purge is young leaves the tombstone", purged(presentOver, later), tombstone},
		{"an error forgotten while its purge is young leaves the tombstone", purged(failedOver, later), tombstone},
		{"a copy that expires with its tombstone is absent", purged(presentOver, now), absent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, tt.from.At(now), tt.want)
		})
	}
}

func TestEntryPendingAndLapsed(t *testing.T) {
	tests := []struct {
		name            string
		from            cache.Entry
		pending, lapsed bool
	}{
		{"absent", absent, false, false},
		{"queued", queued, true, false},
		{"queued, its lease over", queuedLapsed, true, true},
		{"reserved", reserved, true, false},
		{"reserved, its lease over", reservedLapsed, true, true},
		{"copying", copying, true, false},
		{"copying, its lease over", copyingLapsed, true, true},
		{"present", present, false, false},
		{"an expired copy has no lease", presentOver, false, false},
		{"error", failed, false, false},
		{"a forgotten error has no lease", failedOver, false, false},
		{"tombstone", tombstone, false, false},
		{"a tombstone has no lease", tombstoneOver, false, false},
		{"fence", fence, false, false},
		{"a fence has no lease", fenceOver, false, false},
		{"evicting", evicting, false, false},
		{"an eviction that is over", evictingOver, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.from.Pending(); got != tt.pending {
				t.Errorf("Pending() = %v, want %v", got, tt.pending)
			}
			if got := tt.from.Lapsed(now); got != tt.lapsed {
				t.Errorf("Lapsed() = %v, want %v", got, tt.lapsed)
			}
		})
	}
}

func TestEntryClaim(t *testing.T) {
	fresh := cache.Entry{State: cache.Queued, Generation: generation, Until: now.Add(lease), Job: "new", Queueing: &cache.Queueing{Since: now}}
	resent := with(fresh, func(e *cache.Entry) { e.Job = "job" })
	tests := []struct {
		name    string
		from    cache.Entry
		with    cloudmirror.Generation
		want    cache.Entry
		outcome cache.ClaimOutcome
	}{
		{"absent is won", absent, generation, fresh, cache.ClaimWon},
		{"queued is pending", queued, generation, queued, cache.ClaimPending},
		{"queued is pending for another generation too", queued, oldGeneration, queued, cache.ClaimPending},
		{"a lapsed job is sent again under its id", queuedLapsed, generation, resent, cache.ClaimResend},
		{"a lapsed job keeps its generation", queuedLapsed, oldGeneration, resent, cache.ClaimResend},
		{
			"a lapsed retry keeps its tries and failure",
			with(queuedRetry, func(e *cache.Entry) { e.Until = now }), generation,
			with(resent, func(e *cache.Entry) { e.Tries, e.Failure = 2, &due }), cache.ClaimResend,
		},
		{
			"a lapsed job waits since it was sent first, and is not held back any more",
			with(queuedLapsed, func(e *cache.Entry) { e.Queueing = &cache.Queueing{Since: longAgo, DelayedTo: now} }), generation,
			with(resent, func(e *cache.Entry) { e.Queueing = &cache.Queueing{Since: longAgo} }), cache.ClaimResend,
		},
		{"reserved is pending", adopted, generation, adopted, cache.ClaimPending},
		{"reserved is pending for another generation too", reserved, generation, reserved, cache.ClaimPending},
		{"a lapsed reservation's job is sent again, and proves nothing any more", reservedLapsed, generation, resent, cache.ClaimResend},
		{"copying is pending", copying, generation, copying, cache.ClaimPending},
		{
			"a lapsed copy's job is sent again, its attempt and progress are dropped, a try is counted", copyingLapsed, generation,
			with(resent, func(e *cache.Entry) { e.Tries++ }), cache.ClaimResend,
		},
		{"present is present", present, generation, present, cache.ClaimPresent},
		{"present is present for another generation too", present, oldGeneration, present, cache.ClaimPresent},
		{"an expired copy is won", presentOver, generation, fresh, cache.ClaimWon},
		{"an error before its retry stands", failed, generation, failed, cache.ClaimFailed},
		{
			"an error whose retry is due is won, with its tries and reason", failedDue, generation,
			with(fresh, func(e *cache.Entry) { e.Tries, e.Failure = 3, &due }), cache.ClaimWon,
		},
		{"an error whose retry is due refuses another generation", failedDue, oldGeneration, failedDue, cache.ClaimStale},
		{"a permanent error stands", failedPermanent, generation, failedPermanent, cache.ClaimFailed},
		{"a forgotten error is won afresh", failedOver, generation, fresh, cache.ClaimWon},
		{"a tombstone is won for its generation", tombstone, generation, purged(fresh, later), cache.ClaimWon},
		{"a tombstone refuses another generation", tombstone, oldGeneration, tombstone, cache.ClaimStale},
		{"an eviction is waited for", evicting, generation, evicting, cache.ClaimPending},
		{"for another generation too", evicting, oldGeneration, evicting, cache.ClaimPending},
		{"an eviction whose lease lapsed is taken over", evictingOver, generation, fresh, cache.ClaimWon},
		{"a fence is won for its generation", fence, generation, fresh, cache.ClaimWon},
		{"a fence refuses another generation", fence, oldGeneration, fence, cache.ClaimStale},
		{
			"a tombstone that is over is won for any generation", tombstoneOver, oldGeneration,
			with(fresh, func(e *cache.Entry) { e.Generation = oldGeneration }), cache.ClaimWon,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, outcome := tt.from.Claim(now, "new", tt.with, lease)
			check(t, got, tt.want)
			if outcome != tt.outcome {
				t.Errorf("outcome %d, want %d", outcome, tt.outcome)
			}
			check(t, tt.from, before)
		})
	}
}

func TestEntryRelease(t *testing.T) {
	tests := []struct {
		name string
		from cache.Entry
		job  string
		want cache.Entry
	}{
		{"a first claim goes back to absent", queued, "job", absent},
		{
			"a retry goes back to its error, and is due at once", queuedRetry, "job",
			cache.Entry{State: cache.Failed, Generation: generation, Until: now.Add(failureMemory), Job: "job", Tries: 2, Failure: &due},
		},
		{"a claim after a purge goes back to the tombstone", purged(queued, later), "job", tombstone},
		{"a reservation goes back to absent", reserved, "job", absent},
		{"another job's claim stays", queued, "other", queued},
		{"another job's reservation stays", reserved, "other", reserved},
		{"a job that was started already stays", copying, "job", copying},
		{"absent stays", absent, "job", absent},
		{"present stays", present, "job", present},
		{"an error stays", failed, "job", failed},
		{"a tombstone stays", tombstone, "job", tombstone},
		{"a fence stays, even under its id", fence, "fence", fence},
		{"an eviction stays, even under its id", evicting, "evicting", evicting},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Release(now, tt.job), tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryStart(t *testing.T) {
	started := cache.Entry{
		State: cache.Copying, Generation: generation, Until: now.Add(lease), Job: "job", Attempt: "new",
		Progress: cache.Progress{TotalBytes: -1},
	}
	retried := with(started, func(e *cache.Entry) { e.Tries, e.Failure = 2, &due })
	tests := []struct {
		name    string
		from    cache.Entry
		with    cloudmirror.Generation
		want    cache.Entry
		outcome cache.StartOutcome
	}{
		{"absent is won: the cache was flushed", absent, generation, started, cache.StartWon},
		{"queued is won", queued, generation, started, cache.StartWon},
		{"a lapsed job is won", queuedLapsed, generation, started, cache.StartWon},
		{"a retry is won, with its tries and failure", queuedRetry, generation, retried, cache.StartWon},
		{"a job of another generation is stale", queued, oldGeneration, queued, cache.StartStale},
		{"reserved is won", adopted, generation, started, cache.StartWon},
		{"a lapsed reservation is won", reservedLapsed, generation, started, cache.StartWon},
		{"a reservation of another generation is stale", reserved, generation, reserved, cache.StartStale},
		{"copying is busy", copying, generation, copying, cache.StartBusy},
		{"copying is stale for another generation", copying, oldGeneration, copying, cache.StartStale},
		{
			"a lapsed attempt is taken over, its progress is dropped, a try is counted", copyingLapsed, generation,
			with(started, func(e *cache.Entry) { e.Tries++ }), cache.StartWon,
		},
		{"a lapsed attempt is not taken over by another generation", copyingLapsed, oldGeneration, copyingLapsed, cache.StartStale},
		{"present is done", present, generation, present, cache.StartPresent},
		{"an expired copy is won", presentOver, generation, started, cache.StartWon},
		{"an error drops the job", failed, generation, failed, cache.StartStale},
		{"an error whose retry is due drops the job: a claim sends another", failedDue, generation, failedDue, cache.StartStale},
		{"a permanent error drops the job", failedPermanent, generation, failedPermanent, cache.StartStale},
		{"a forgotten error is won afresh", failedOver, generation, started, cache.StartWon},
		{"a tombstone is won by its generation", tombstone, generation, purged(started, later), cache.StartWon},
		{"a tombstone drops what began before it", tombstone, oldGeneration, tombstone, cache.StartStale},
		{"an eviction is busy", evicting, generation, evicting, cache.StartBusy},
		{"for another generation too", evicting, oldGeneration, evicting, cache.StartBusy},
		{"an eviction whose lease lapsed is taken over", evictingOver, generation, started, cache.StartWon},
		{"a fence is won by its generation", fence, generation, started, cache.StartWon},
		{"a fence drops what is of another", fence, oldGeneration, fence, cache.StartStale},
		{
			"a tombstone that is over is won by any generation", tombstoneOver, oldGeneration,
			with(started, func(e *cache.Entry) { e.Generation = oldGeneration }), cache.StartWon,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, outcome := tt.from.Start(now, "job", "new", tt.with, lease)
			check(t, got, tt.want)
			if outcome != tt.outcome {
				t.Errorf("outcome %d, want %d", outcome, tt.outcome)
			}
			check(t, tt.from, before)
		})
	}
}

func TestEntryForgive(t *testing.T) {
	tests := []struct {
		name       string
		from, want cache.Entry
		with       cloudmirror.Generation
	}{
		{"an error is forgotten", failed, absent, generation},
		{"a permanent error is forgotten", failedPermanent, absent, generation},
		{"an error of another generation stands", failed, failed, oldGeneration},
		{
			"an error after a purge leaves its tombstone", purged(failed, later),
			cache.Entry{State: cache.Tombstone, Generation: generation, Until: later, PurgedUntil: later},
			generation,
		},
		{"what is queued is left alone", queuedRetry, queuedRetry, generation},
		{"what is reserved is left alone", adopted, adopted, generation},
		{"a fence is left alone", fence, fence, generation},
		{"an eviction is left alone", evicting, evicting, generation},
		{"a running copy is left alone", copying, copying, generation},
		{"a copy is left alone", present, present, generation},
		{"a tombstone is left alone", tombstone, tombstone, generation},
		{"absent stays absent", absent, absent, generation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Forgive(now, tt.with), tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryLose(t *testing.T) {
	tests := []struct {
		name       string
		from, want cache.Entry
		with       cloudmirror.Generation
	}{
		{"a copy is forgotten", present, absent, generation},
		{"a copy of another generation stays", present, present, oldGeneration},
		{"a copy after a purge leaves its tombstone", purged(present, later), tombstone, generation},
		{"a copy after a purge that is over is forgotten", purged(present, now), absent, generation},
		{"an expired copy is absent", presentOver, absent, generation},
		{"a claim is left alone", queued, queued, generation},
		{"a reservation is left alone", adopted, adopted, generation},
		{"a fence is left alone", fence, fence, generation},
		{"an eviction is left alone", evicting, evicting, generation},
		{"a running copy is left alone", copying, copying, generation},
		{"an error is left alone", failed, failed, generation},
		{"a tombstone is left alone", tombstone, tombstone, generation},
		{"absent stays absent", absent, absent, generation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Lose(now, tt.with), tt.want)
			check(t, tt.from, before)
		})
	}
}

// snapshot returns a copy of e that shares nothing with it.
func snapshot(e cache.Entry) cache.Entry {
	if e.Failure != nil {
		f := *e.Failure
		e.Failure = &f
	}
	return e
}

func check(t *testing.T, got, want cache.Entry) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}
