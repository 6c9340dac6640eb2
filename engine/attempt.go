package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// MaxTries is how many tries of one object may fail in a row, or be left without
// an end by copiers that died, before its job goes to the dead letters and the failure counts as permanent for a while.
const MaxTries = 5

// Delays before a failed object is tried again: doubled with each try, and cut
// by up to a half at random.
const (
	minRetryDelay = 500 * time.Millisecond
	maxRetryDelay = time.Minute
)

// An Outcome says what a copier has to do with a job.
type Outcome int

// The outcomes of Begin.
const (
	None      Outcome = iota // nothing is known: there is an error
	Begun                    // copy the object; the Attempt is the caller's
	Exhausted                // the Attempt is the caller's, but only to be failed: copiers died over the object, again and again
	Busy                     // the attempt of another job is copying it: this one is a duplicate
	Held                     // an attempt of this very job holds it, perhaps of a copier that is gone
	Exists                   // there is a copy: the job is done
	Stale                    // the job was overtaken by a purge or a failure: drop it
)

// ErrLost says that an attempt is no longer the current one: the object was
// purged, or another copier took over.
var ErrLost = errors.New("engine: the attempt was taken over or purged")

// An Attempt is one try at making a copy, and holds the entry. Its methods are
// safe for concurrent use.
type Attempt struct {
	engine  *Engine
	backend *Backend
	job     queue.Job
	key     cache.Key
	id      string

	mu    sync.Mutex
	at    cache.Snapshot // the newest known state of the entry
	ended bool           // completed, failed or handed back

	uncertain bool // the answer to the last try to end it was lost
	unproven  bool // the marker was not read since the entry stands that ours follows on
}

// Begin starts an attempt for a job. The attempt is only valid with Begun and
// Exhausted; it must be renewed every RenewEvery, and ended with Complete, Fail or HandBack.
// ErrUnavailable says that the cache or storage could not be asked.
func (en *Engine) Begin(ctx context.Context, job queue.Job) (*Attempt, Outcome, error) {
	b, err := en.backend(job.Backend)
	if err != nil {
		return nil, None, err
	}
	a := &Attempt{engine: en, backend: b, job: job, key: cache.KeyOf(job.Object, job.Backend), id: cloudmirror.NewID()}
	at, err := en.cache.Store.Get(ctx, a.key)
	if err != nil {
		return nil, None, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if at.Entry.State == cache.Absent || at.Entry.Lapsed(at.Now()) {
		// The cache was flushed, or a copier died, since the job was sent. The
		// copy may have been made, or the object purged: only storage can tell.
		seen, err := en.lookAlone(ctx, b, job.Object, cloudmirror.FirstGeneration)
		switch {
		case err != nil:
			return nil, None, err
		case seen.generation != job.Generation:
			return nil, Stale, nil
		case seen.found:
			en.backfill(ctx, b, job.Object, a.key, at, seen)
			return nil, Exists, nil
		}
		a.job.Replace = seen.expiring
	}
	outcome, proven := cache.StartStale, false
	at, _, err = en.insist(ctx, a.key, at, func(e cache.Entry, now time.Time) (next cache.Entry, _ error) {
		if a.job.Redriven {
			e = e.Forgive(now, a.job.Generation)
		}
		proven = e.IsReserved(job.Nonce)
		next, outcome = e.Start(now, a.job.ID, a.id, a.job.Generation, en.timing.CopyLease)
		if outcome == cache.StartWon {
			next.Tries = max(next.Tries, a.job.Tries)
		}
		return next, nil
	})
	if err != nil {
		return nil, None, err
	}
	a.at, a.unproven = at, !proven
	switch {
	case outcome == cache.StartBusy && at.Entry.Job == job.ID:
		return nil, Held, nil
	case outcome == cache.StartWon && at.Entry.Tries >= MaxTries:
		return a, Exhausted, nil
	}
	return a, map[cache.StartOutcome]Outcome{
		cache.StartWon: Begun, cache.StartBusy: Busy, cache.StartPresent: Exists, cache.StartStale: Stale,
	}[outcome], nil
}

// RenewEvery is how often an attempt must be renewed: three times in a lease.
func (en *Engine) RenewEvery() time.Duration { return en.timing.CopyLease / 3 }

// StorageKey returns where the copy goes.
func (a *Attempt) StorageKey() string { return a.job.Object.StorageKey(a.job.Generation) }

// Replace reports whether a copy that is not to be used any more is known to be
// under the key.
func (a *Attempt) Replace() bool { return a.job.Replace }

// IsGood reports whether a copy that was found under the key can be handed out
// for a while.
func (a *Attempt) IsGood(info storage.Info) bool {
	now := time.Now()
	_, expires := a.backend.describe(info, now)
	return now.Before(expires)
}

// MaxDuration returns how long the attempt may take, at most: of a copy that took
// longer than half of its life to make, clients would have nothing.
func (a *Attempt) MaxDuration() time.Duration { return LongestCopy(a.backend.TTL) }

// ExpiresAt returns until when a copy whose upload begins now is kept.
func (a *Attempt) ExpiresAt() time.Time { return time.Now().Add(a.backend.TTL) }

// Renew keeps the entry and notes the progress. ErrLost says to stop copying;
// ErrUnavailable that the cache did not answer, which is no reason to stop.
func (a *Attempt) Renew(ctx context.Context, p cache.Progress) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.change(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Renew(now, a.id, a.engine.timing.CopyLease, p)
	})
	if err == nil && a.unproven {
		err = a.prove(ctx) // an attempt that a purge overtook should not go on for long
	}
	return err
}

// Prove makes sure that the object was not purged since its job was sent. Complete
// does it if nobody has; called while the copy runs, it costs no time. ErrLost says
// to stop copying; ErrUnavailable that it is not known, which is no reason to stop.
func (a *Attempt) Prove(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return ErrLost
	case a.unproven:
		return a.prove(ctx)
	}
	return nil
}

// Complete ends the attempt with the copy that storage describes, which becomes
// visible to clients. With ErrLost, what was uploaded is removed unless it is in
// the place of the current generation. With ErrUnavailable it may be called
// again.
func (a *Attempt) Complete(ctx context.Context, info storage.Info) error {
	copied, expires := a.backend.describe(info, time.Now())
	err := a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Complete(now, a.id, copied, expires)
	}, func(e cache.Entry) bool { return e.State == cache.Present && e.Generation == a.job.Generation })
	if errors.Is(err, ErrLost) {
		a.discard(ctx)
	}
	return err
}

// discard removes an upload that a purge has overtaken.
func (a *Attempt) discard(ctx context.Context) {
	g, err := a.engine.marker(ctx, a.backend, a.job.Object)
	if err == nil && g != a.job.Generation {
		err = a.engine.remove(ctx, a.backend, a.job.Object, a.job.Generation)
	}
	if err != nil {
		// Nobody looks there; the storage's expiry removes it.
		a.engine.logger.Warn("the copy of an overtaken attempt could not be removed", zap.Error(err))
	}
}

// Fail ends the attempt without a copy. It reports whether the job has used up
// its tries and belongs to the dead letters. Nobody tries again before
// f.RetryAfter has passed, whatever became of the tries. The errors are ErrLost
// and ErrUnavailable.
func (a *Attempt) Fail(ctx context.Context, f *cloudmirror.Failure) (dead bool, err error) {
	err = a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		tries := e.Tries + 1
		dead = !f.Permanent && tries >= MaxTries
		return e.Fail(now, a.id, cache.Failure{
			Code: f.Code, Message: f.Message, Cause: cause(f), Status: f.Status,
			Permanent: f.Permanent || dead,
			RetryAt:   now.Add(max(retryDelay(tries), f.RetryAfter)),
		}, max(a.backend.NegativeTTL, f.RetryAfter, minNegativeTTL))
	}, func(e cache.Entry) bool { return e.State == cache.Failed && e.Job == a.job.ID })
	return dead && err == nil, err
}

// Postpone ends an attempt before its origin was asked for anything, since it
// should not be asked before f.RetryAfter has passed: the entry becomes a
// transient error until then, whoever wants the object tries again after that,
// and no try is used up. The caller acknowledges the message. The errors are
// ErrLost and ErrUnavailable.
func (a *Attempt) Postpone(ctx context.Context, f *cloudmirror.Failure) error {
	return a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Postpone(now, a.id, cache.Failure{
			Code: f.Code, Message: f.Message, Cause: cause(f), RetryAt: now.Add(f.RetryAfter),
		})
	}, func(e cache.Entry) bool { return e.State == cache.Failed && e.Job == a.job.ID })
}

// minNegativeTTL is how long a permanent failure is remembered at least, so that
// whoever waits for it learns of it.
const minNegativeTTL = time.Second

// cause returns the private error chain, cut to what an entry may keep.
func cause(f *cloudmirror.Failure) string {
	if f.Err == nil {
		return ""
	}
	return cloudmirror.Line(cloudmirror.Brief(f.Err), cache.MaxCauseBytes)
}

// retryDelay returns how long to wait after so many failed tries (1 or more).
func retryDelay(tries int) time.Duration {
	delay := min(minRetryDelay<<min(tries-1, 16), maxRetryDelay)
	return delay - rand.N(delay/2) //nolint:gosec // jitter needs no secrecy
}

// HandBack ends the attempt of a copier that stops, or whose storage is down: a
// fresh message of the job is sent, to be received after delay, so that no
// receive is used up. The caller acknowledges the old message if the error is
// nil, and leaves it to be received again otherwise.
func (a *Attempt) HandBack(ctx context.Context, delay time.Duration) error {
	err := a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Requeue(now, a.id, delay, a.engine.timing.QueueLease)
	}, func(cache.Entry) bool { return false })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.engine.timing.Send)
	defer cancel()
	return a.backend.Queue.Send(ctx, a.job, delay)
}

// HandBackSlow is HandBack for the slowest copy of a copier that needs its place.
// The job counts how often that happened (queue.Job.Slow).
func (a *Attempt) HandBackSlow(ctx context.Context, delay time.Duration) error {
	a.job.Slow++
	return a.HandBack(ctx, delay)
}

// Lengthen notes that the copy takes long: a job that is handed back says so
// (queue.Job.Long).
func (a *Attempt) Lengthen() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.job.Long = true
}

// end applies the last change of the attempt: what comes after it, such as a late
// heartbeat, is lost. If an earlier try was made whose answer was lost, an entry
// that isDone is that try's work.
func (a *Attempt) end(ctx context.Context, change cache.Change, isDone func(cache.Entry) bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.change(ctx, change)
	if errors.Is(err, ErrLost) && a.uncertain && !a.ended && isDone(a.at.Entry) {
		err = nil
	}
	a.uncertain = errors.Is(err, ErrUnavailable)
	a.ended = a.ended || err == nil
	return err
}

// change applies a change that only the holder may make. If a flush removed the
// entry, it is put back first. The caller holds the lock.
func (a *Attempt) change(ctx context.Context, change cache.Change) error {
	if a.ended {
		return ErrLost
	}
	at, refused, err := a.engine.insist(ctx, a.key, a.at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		next, err := change(e, now)
		if err == nil && next.State == cache.Present && a.unproven {
			return e, errUnproven
		}
		return next, err
	})
	if err != nil {
		return err
	}
	a.at = at
	switch {
	case refused == nil:
		return nil
	case errors.Is(refused, errUnproven):
		err = a.prove(ctx)
	case errors.Is(refused, cache.ErrForgotten):
		err = a.restore(ctx)
	default:
		err = ErrLost
	}
	if err != nil {
		return err
	}
	return a.change(ctx, change)
}

// errUnproven says that the generation has to be proven before anybody is told of
// the copy.
var errUnproven = errors.New("engine: the generation is not proven")

// restore puts back an entry that a flush removed.
func (a *Attempt) restore(ctx context.Context) error {
	a.unproven = true // also if the answer gets lost
	at, refused, err := a.engine.insist(ctx, a.key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		restored, err := e.Restore(now, a.job.ID, a.id, a.job.Generation, a.engine.timing.CopyLease)
		restored.Tries = max(restored.Tries, a.job.Tries)
		return restored, err
	})
	if err != nil {
		return err
	}
	if refused != nil {
		return ErrLost
	}
	a.at = at
	return a.prove(ctx)
}

// prove makes sure that the object was not purged since the job was sent. The
// entry of the attempt stands already, and says nothing to clients: a purge that
// the marker does not tell of yet will find it and put its tombstone there, and
// whatever becomes of that, the attempt is never taken for the current one again.
// Looking at the marker first would not do: a purge and a flush might come in
// between, and leave no trace in the cache.
func (a *Attempt) prove(ctx context.Context) error {
	err := a.isCurrent(ctx)
	if err == nil {
		a.unproven = false
		return nil
	}
	if !errors.Is(err, ErrLost) {
		return err
	}
	_, _, failed := a.engine.insist(ctx, a.key, a.at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		if e.State == cache.Copying && e.Attempt == a.id {
			return cache.Entry{State: cache.Absent}, nil
		}
		return e, nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// isCurrent returns ErrLost if the object was purged since the job was sent.
func (a *Attempt) isCurrent(ctx context.Context) error {
	g, err := a.engine.marker(ctx, a.backend, a.job.Object)
	if err != nil {
		return err
	}
	if g != a.job.Generation {
		return ErrLost
	}
	return nil
}
