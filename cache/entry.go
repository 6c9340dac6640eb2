package cache

import (
	"errors"
	"time"

	"cloudmirror"
)

// A State is one of the states that an entry can be in.
type State string

// The states of an entry. Clients see Queued and Copying as pending, Tombstone
// as absent.
const (
	Absent    State = "absent"
	Queued    State = "queued"
	Copying   State = "copying"
	Present   State = "present"
	Failed    State = "error"
	Tombstone State = "tombstone"
)

// An Entry is what the cache knows of one copy. The zero Entry is not valid;
// an unknown copy is Entry{State: Absent}. Entries are values: the methods
// return changed ones and leave the receiver alone.
type Entry struct {
	State      State
	Generation cloudmirror.Generation // of the copy; with Tombstone, the first one that is valid again

	// Until is, on the store's clock: for Queued and Copying the end of the
	// lease; for Present the time from which the copy may be gone; for Failed
	// and Tombstone the time from which the entry says nothing any more.
	Until time.Time

	// PurgedUntil is when the life of the last purge's tombstone ends, on the
	// store's clock. Whatever follows on the tombstone keeps it: what would be
	// absent before then is the tombstone again. Zero: no purge is known.
	PurgedUntil time.Time

	Job     string // Queued, Copying, Failed: the id of the job that was sent; Tombstone: that of a fence
	Nonce   string // Queued: unlike that of any other record, if the object was reserved before storage was looked at
	Attempt string // Copying: the id of the running attempt
	Tries   int    // tries that failed, or that nobody ended, since the object was last absent

	// Queueing is, with Queued, since when the job waits. It is nil if an older
	// release wrote the entry.
	Queueing *Queueing

	Copy     Copy     // Present: what is stored
	Progress Progress // Copying: how far it is
	Failure  *Failure // Failed: why; Queued and Copying: why the last try failed, if one did
}

// A Copy describes a stored copy.
type Copy struct {
	SizeBytes int64
	SHA256    string // lower-case hexadecimal
	StoredAt  time.Time
}

// Progress tells how far a running copy is.
type Progress struct {
	DoneBytes  int64
	TotalBytes int64 // -1: the origin did not say
}

// A Failure is why the last try failed, as an entry keeps it.
type Failure struct {
	Code      cloudmirror.Code
	Message   string // for clients
	Cause     string // for operators, at most MaxCauseBytes
	Status    int    // the origin's, if it answered with an error
	Permanent bool
	RetryAt   time.Time // transient failures: when a claim may try again
}

// MaxCauseBytes is how much of the private error chain is kept with an entry.
const MaxCauseBytes = 4 << 10

// Refusals of a change by the holder of an attempt.
var (
	// ErrNotHolder says that the attempt is not, or no longer, the current one.
	ErrNotHolder = errors.New("cache: another attempt holds the entry")
	// ErrForgotten says that the entry knows nothing of the attempt, and of no
	// other: it was flushed, and at most queued again since. The attempt may
	// Restore it, once it made sure that its generation is current.
	ErrForgotten = errors.New("cache: the entry forgot its attempt")
)

// At returns the entry as it stands at now: what has run out is absent. Leases
// that lapsed stay, for somebody to take over.
func (e Entry) At(now time.Time) Entry {
	switch e.State {
	case Present, Failed, Tombstone:
		if !now.Before(e.Until) {
			return e.remains(now)
		}
	case Absent, Queued, Copying:
	}
	return e
}

// remains returns what is left when e says nothing any more: the tombstone of a
// purge that still has to be heeded, or nothing.
func (e Entry) remains(now time.Time) Entry {
	if !now.Before(e.PurgedUntil) {
		return Entry{State: Absent}
	}
	return Entry{State: Tombstone, Generation: e.Generation, Until: e.PurgedUntil, PurgedUntil: e.PurgedUntil}
}

// Lapsed reports whether the lease of a queued or copying entry has run out.
func (e Entry) Lapsed(now time.Time) bool {
	return (e.State == Queued || e.State == Copying) && !now.Before(e.Until)
}

// Pending reports whether a job for the copy exists: what clients wait for.
func (e Entry) Pending() bool { return e.State == Queued || e.State == Copying }

// A ClaimOutcome says what came of a Claim.
type ClaimOutcome int

// The outcomes of a claim. Only after ClaimWon and ClaimResend must the caller
// send a job, with the id, generation and tries of the returned entry.
const (
	ClaimWon     ClaimOutcome = iota // the caller's: send the job
	ClaimResend                      // the lease lapsed: send the same job again
	ClaimPending                     // a job exists
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
	case Tombstone:
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
	case Queued, Copying:
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
// attempt that nobody ended was a try, too. So an object over which copiers die
// is not begun for ever.
func (e Entry) triesAfter() int {
	if e.State == Copying {
		return e.Tries + 1
	}
	return e.Tries
}

// Forgive forgets an error of generation g, so that a job which an operator sends
// again is begun.
func (e Entry) Forgive(now time.Time, g cloudmirror.Generation) Entry {
	if e = e.At(now); e.State == Failed && e.Generation == g {
		return e.remains(now)
	}
	return e
}

// Lose forgets a copy of generation g that storage does not have any more, so that
// the next claim makes it again. A purge that still has to be heeded stays, as its
// tombstone. Whatever else there is stays.
func (e Entry) Lose(now time.Time, g cloudmirror.Generation) Entry {
	if e = e.At(now); e.State == Present && e.Generation == g {
		return e.remains(now)
	}
	return e
}

// Release gives a claim back whose job could not be sent: "pending" means that
// a job exists. An entry that is not queued for that job stays as it is. A retry
// that was claimed goes back to its error, not to a fresh start.
func (e Entry) Release(now time.Time, job string) Entry {
	if e.State != Queued || e.Job != job {
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

// A StartOutcome says what came of a Start.
type StartOutcome int

// The outcomes of a start. Only after StartWon may the caller copy.
const (
	StartWon     StartOutcome = iota // the caller's attempt holds the entry
	StartBusy                        // another attempt is copying
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
	case Failed:
		return e, StartStale
	case Queued, Copying, Tombstone:
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
	case e.State == Absent, e.State == Queued:
		return ErrForgotten
	case e.State != Copying || e.Attempt != attempt:
		return ErrNotHolder
	}
	return nil
}

// Renew extends the lease of a running attempt and notes its progress. The
// errors are ErrNotHolder and ErrForgotten. A lapsed lease that nobody took
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
	if current.State != Absent && (current.State != Queued || current.Generation != g) {
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
func (e Entry) Fail(now time.Time, attempt string, f Failure, memory time.Duration) (Entry, error) {
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
func (e Entry) Postpone(now time.Time, attempt string, f Failure) (Entry, error) {
	next, err := e.Fail(now, attempt, f, 0)
	if err == nil {
		next.Tries = e.Tries
	}
	return next, err
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

// Backfill notes a copy that storage was seen to have under generation g. It
// leaves alone what is present, what an attempt with a valid lease is about, and
// what belongs to another generation: the look began before a purge then.
func (e Entry) Backfill(now time.Time, g cloudmirror.Generation, c Copy, expires time.Time) Entry {
	e = e.At(now)
	switch {
	case e.State == Present, e.Pending() && !e.Lapsed(now):
		return e
	case e.State != Absent && e.Generation != g:
		return e
	}
	return Entry{State: Present, Generation: g, Until: expires, PurgedUntil: e.PurgedUntil, Copy: c}
}

// Fence makes a record of an entry of which nothing is known, for whoever is about
// to note a copy of generation g in it: a tombstone like that of a purge, with an
// id that makes it unlike any other. If it still stands later, the entry was
// neither purged nor flushed meanwhile, which absence cannot tell. Whatever else
// there is stays.
func (e Entry) Fence(now time.Time, id string, g cloudmirror.Generation, life time.Duration) Entry {
	if e = e.At(now); e.State != Absent {
		return e
	}
	return Entry{State: Tombstone, Generation: g, Until: now.Add(life), Job: id}
}

// Purge replaces whatever is known by a tombstone: for as long as it lives,
// only what belongs to generation g, which must be new, is accepted, whatever
// becomes of the entry meanwhile.
func (e Entry) Purge(now time.Time, g cloudmirror.Generation, life time.Duration) Entry {
	until := now.Add(life)
	return Entry{State: Tombstone, Generation: g, Until: until, PurgedUntil: until}
}
