package cache

import (
	"time"

	"cloudmirror"
)

// A ClaimOutcome says what came of a Claim.
type ClaimOutcome int

// The outcomes of a claim. Only after ClaimWon and ClaimResend must the caller
// send a job, with the id, generation and tries of the returned entry.
const (
	ClaimWon     ClaimOutcome = iota // the caller's: send the job
	ClaimResend                      // the lease lapsed: send the same job again
	ClaimPending                     // a job exists, or the copy is being evicted: wait
	ClaimPresent                     // there is a copy
	ClaimFailed                      // an error stands: permanent, or its retry is not due
	ClaimStale                       // the object was purged since the caller looked: look again
)

// Claim asks for the right to send a job. The job id and the generation are the
// caller's; lease covers the wait in the queue.
func (e Entry) Claim(now time.Time, job string, g cloudmirror.Generation, lease time.Duration) (Entry, ClaimOutcome) {
	e = e.At(now)
	claimed := Entry{
		State: Queued, Generation: g, Until: now.Add(lease), PurgedUntil: e.PurgedUntil,
		Job: job, Tries: e.Tries, Failure: e.Failure, Queueing: &Queueing{Since: now},
	}
	switch e.State {
	case Present:
		return e, ClaimPresent
	case Evicting:
		return e, ClaimPending
	case Tombstone, Fenced:
		if e.Generation != g {
			return e, ClaimStale
		}
	case Failed:
		if e.Failure.Permanent || now.Before(e.Failure.RetryAt) {
			return e, ClaimFailed
		}
		if e.Generation != g {
			return e, ClaimStale
		}
	case Reserved, Queued, Copying:
		if !e.Lapsed(now) {
			return e, ClaimPending
		}
		// A job that was not started in all this time, or whose copier is gone,
		// may be lost. A second message does no harm; the first one that is
		// started makes the copy.
		claimed.Job, claimed.Generation, claimed.Tries = e.Job, e.Generation, e.triesAfter()
		if e.Queueing != nil {
			claimed.Queueing = &Queueing{Since: e.Queueing.Since}
		}
		return claimed, ClaimResend
	case Absent:
	}
	return claimed, ClaimWon
}

// triesAfter returns the tries of what follows on an entry whose lease lapsed: an
// attempt that was not ended was a try, too. So an object over which copiers die
// is not begun for ever.
func (e Entry) triesAfter() int {
	if e.State == Copying {
		return e.Tries + 1
	}
	return e.Tries
}

// Release gives a claim back whose job could not be sent: "pending" means that
// a job exists. An entry that does not queue for that job stays as it is. A retry
// that was claimed goes back to its error, not to a fresh start.
func (e Entry) Release(now time.Time, job string) Entry {
	if !e.Queues() || e.Job != job {
		return e
	}
	if e.Failure == nil {
		return e.remains(now)
	}
	e.State, e.Queueing = Failed, nil
	// Kept long enough that the next claim finds the number of tries.
	e.Until = now.Add(failureMemory)
	return e
}

// failureMemory is how long a transient failure is remembered after its retry
// is due, so that the number of tries is not lost.
const failureMemory = time.Minute

// Forgive forgets an error of generation g, so that a job which an operator sends
// again is begun.
func (e Entry) Forgive(now time.Time, g cloudmirror.Generation) Entry {
	if e = e.At(now); e.State == Failed && e.Generation == g {
		return e.remains(now)
	}
	return e
}
