package cache

import (
	"errors"
	"time"

	"cloudmirror"
)

// Refusals of a change by the holder of an attempt.
var (
	// ErrNotHolder says that the attempt is not, or no longer, the current one.
	ErrNotHolder = errors.New("cache: another attempt holds the entry")
	// ErrForgotten says that the entry knows nothing of the attempt, and of no
	// other: it was flushed, and at most queued again since. The attempt may
	// Restore it, once it made sure that its generation is current.
	ErrForgotten = errors.New("cache: the entry forgot its attempt")
)

// A StartOutcome says what came of a Start.
type StartOutcome int

// The outcomes of a start. Only after StartWon may the caller copy.
const (
	StartWon     StartOutcome = iota // the caller's attempt holds the entry
	StartBusy                        // another attempt is copying, or the copy is being evicted
	StartPresent                     // there is a copy: the job is done
	StartStale                       // the job is older than a purge or a failure: drop it
)

// Start begins an attempt for a job. The attempt is a new random id. From an
// absent entry the caller must have made sure that g is the object's current
// generation.
func (e Entry) Start(now time.Time, job, attempt string, g cloudmirror.Generation, lease time.Duration) (Entry, StartOutcome) {
	e = e.At(now)
	started := Entry{
		State: Copying, Generation: g, Until: now.Add(lease), PurgedUntil: e.PurgedUntil,
		Job: job, Attempt: attempt, Tries: e.Tries, Failure: e.Failure, Progress: Progress{TotalBytes: -1},
	}
	switch e.State {
	case Present:
		return e, StartPresent
	case Evicting:
		return e, StartBusy
	case Failed:
		return e, StartStale
	case Reserved, Queued, Copying, Tombstone, Fenced:
		if e.Generation != g {
			return e, StartStale
		}
		if e.State == Copying && !e.Lapsed(now) {
			return e, StartBusy
		}
		started.Tries = e.triesAfter()
	case Absent:
	}
	return started, StartWon
}

// hold checks that attempt holds the entry.
func (e Entry) hold(now time.Time, attempt string) error {
	switch e = e.At(now); {
	case e.State == Absent, e.Queues():
		return ErrForgotten
	case e.State != Copying || e.Attempt != attempt:
		return ErrNotHolder
	}
	return nil
}

// Renew extends the lease of a running attempt and notes its progress. The
// errors are ErrNotHolder and ErrForgotten. A lapsed lease that no other attempt took
// over is still the attempt's.
func (e Entry) Renew(now time.Time, attempt string, lease time.Duration, p Progress) (Entry, error) {
	if err := e.hold(now, attempt); err != nil {
		return e, err
	}
	e.Until, e.Progress = now.Add(lease), p
	return e, nil
}

// Restore puts the entry of a running attempt back that a flush removed, or that
// was queued again since: the attempt is as good as the one that the queued job
// would begin. The error is ErrNotHolder if there is anything else. The caller
// must have made sure that g is the object's current generation.
func (e Entry) Restore(now time.Time, job, attempt string, g cloudmirror.Generation, lease time.Duration) (Entry, error) {
	current := e.At(now)
	if current.State != Absent && (!current.Queues() || current.Generation != g) {
		return e, ErrNotHolder
	}
	restored, _ := current.Start(now, job, attempt, g, lease)
	return restored, nil
}

// Complete ends an attempt with a copy, which may be gone from expires on. The
// errors are ErrNotHolder and ErrForgotten.
func (e Entry) Complete(now time.Time, attempt string, c Copy, expires time.Time) (Entry, error) {
	if err := e.hold(now, attempt); err != nil {
		return e, err
	}
	return Entry{State: Present, Generation: e.Generation, Until: expires, PurgedUntil: e.PurgedUntil, Copy: c}, nil
}

// Fail ends an attempt without a copy. A permanent failure stands for memory; a
// transient one until its RetryAt, and its number of tries a while longer. The
// errors are ErrNotHolder and ErrForgotten.
func (e Entry) Fail(now time.Time, attempt string, f FailedTry, memory time.Duration) (Entry, error) {
	if err := e.hold(now, attempt); err != nil {
		return e, err
	}
	until := now.Add(memory)
	if !f.Permanent {
		until = f.RetryAt.Add(failureMemory)
	}
	return Entry{
		State: Failed, Generation: e.Generation, Until: until, PurgedUntil: e.PurgedUntil,
		Job: e.Job, Tries: e.Tries + 1, Failure: &f,
	}, nil
}

// Postpone ends an attempt that asked its origin for nothing: the failure says
// why, and when to try again. Unlike Fail it costs no try. The errors are
// ErrNotHolder and ErrForgotten.
func (e Entry) Postpone(now time.Time, attempt string, f FailedTry) (Entry, error) {
	next, err := e.Fail(now, attempt, f, 0)
	if err == nil {
		next.Tries = e.Tries
	}
	return next, err
}

// Abandon forgets a running attempt whose generation turned out not to be the current
// one. Whatever else there is stays.
func (e Entry) Abandon(attempt string) Entry {
	if e.State != Copying || e.Attempt != attempt {
		return e
	}
	return Entry{State: Absent}
}

// Requeue ends an attempt whose copier stops; its job goes back to the queue, where
// it rests for delay. The errors are ErrNotHolder and ErrForgotten.
func (e Entry) Requeue(now time.Time, attempt string, delay, lease time.Duration) (Entry, error) {
	if err := e.hold(now, attempt); err != nil {
		return e, err
	}
	next := Entry{
		State: Queued, Generation: e.Generation, Until: now.Add(delay + lease), PurgedUntil: e.PurgedUntil,
		Job: e.Job, Tries: e.Tries, Failure: e.Failure, Queueing: &Queueing{Since: now},
	}
	if delay > 0 {
		next.Queueing.DelayedTo = now.Add(delay)
	}
	return next, nil
}
