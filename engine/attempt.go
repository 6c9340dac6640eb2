package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
	"cloudmirror/queue"
	"cloudmirror/storage"
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
	unproven  bool // the marker was not read since the record stood that the attempt followed on
	forgotten bool // the entry was lost for a while, in which what was uploaded may have been evicted
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
	g, err := currentGeneration(ctx, a.engine.timing.Purge, a.backend, a.job.Object)
	if err == nil && g != a.job.Generation {
		err = a.engine.removeCopy(ctx, a.backend, a.job.Object, a.job.Generation)
	}
	if err != nil {
		// No client is sent there; the storage's expiry removes it.
		a.engine.logger.Warn("the copy of an overtaken attempt could not be removed", zap.Error(err))
	}
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
	at, refused, err := a.engine.updateUnguarded(ctx, a.key, a.at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		next, err := change(e, now)
		if err == nil && next.State == cache.Present && (a.unproven || a.forgotten) {
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
	case errors.Is(refused, errUnproven) && a.unproven:
		err = a.prove(ctx)
	case errors.Is(refused, errUnproven):
		err = a.proveUpload(ctx)
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
