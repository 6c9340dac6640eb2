package engine

import (
	"context"
	"fmt"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
)

// An Outcome says what a copier has to do with a job.
type Outcome int

// The outcomes of Begin.
const (
	Undecided Outcome = iota // nothing is known: there is an error
	Begun                    // copy the object; the Attempt is the caller's
	Exhausted                // the Attempt is the caller's, but only to be failed: copiers died over the object, again and again
	Busy                     // the attempt of another job is copying it: this one is a duplicate
	Held                     // an attempt of this very job holds it, perhaps of a copier that is gone, or its copy is being evicted
	Exists                   // there is a copy: the job is done
	Stale                    // the job was overtaken by a purge or a failure: drop it
)

// Begin starts an attempt for a job. The attempt is only valid with Begun and
// Exhausted; it must be renewed every RenewEvery, and ended with Complete, Fail or HandBack.
// ErrUnavailable says that the cache or storage could not be asked.
func (en *Engine) Begin(ctx context.Context, job queue.Job) (*Attempt, Outcome, error) {
	b, err := en.backend(job.Backend)
	if err != nil {
		return nil, Undecided, err
	}
	a := &Attempt{engine: en, backend: b, job: job, key: cache.KeyOf(job.Object, job.Backend), id: cloudmirror.NewID()}
	at, err := en.cache.Store.Get(ctx, a.key)
	if err != nil {
		return nil, Undecided, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if at.Entry.State == cache.Absent || at.Entry.Lapsed(at.Now()) {
		// The cache was flushed, or a copier died, since the job was sent. The
		// copy may have been made, or the object purged: only storage can tell.
		seen, err := en.lookAlone(ctx, b, job.Object, cloudmirror.FirstGeneration)
		switch {
		case err != nil:
			return nil, Undecided, err
		case seen.generation != job.Generation:
			return nil, Stale, nil
		case seen.found:
			en.backfill(ctx, b, job.Object, a.key, at, seen)
			return nil, Exists, nil
		}
		a.job.Replace = seen.expiring
	}
	outcome, proven := cache.StartStale, false
	at, _, err = en.updateUnguarded(ctx, a.key, at, func(e cache.Entry, now time.Time) (next cache.Entry, _ error) {
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
		return nil, Undecided, err
	}
	a.at, a.unproven = at, !proven
	switch {
	case outcome == cache.StartBusy && (at.Entry.Job == job.ID || at.Entry.State == cache.Evicting):
		return nil, Held, nil
	case outcome == cache.StartWon && at.Entry.Tries >= MaxTries:
		return a, Exhausted, nil
	}
	return a, map[cache.StartOutcome]Outcome{
		cache.StartWon: Begun, cache.StartBusy: Busy, cache.StartPresent: Exists, cache.StartStale: Stale,
	}[outcome], nil
}
