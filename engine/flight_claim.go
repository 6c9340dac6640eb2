package engine

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
)

// findOrClaim looks at storage and, if that has no copy, claims and sends a job, when it
// is the flight's turn. The view is set if storage has a copy.
func (f *flight) findOrClaim(ctx context.Context, at cache.Snapshot) (cache.Snapshot, View, error) {
	en := f.engine
	if err := en.takeTurn(ctx, f.backend.actTurns); err != nil {
		return at, View{}, err
	}
	defer f.backend.actTurns.Release(1)
	if at.Entry.State == cache.Absent && f.backend.looks.calm.Load() {
		return f.reserve(ctx, at)
	}
	seen, err := en.lookTogether(ctx, f.backend, f.want.Object)
	if err != nil {
		return at, View{Entry: at.Entry, Now: at.Now()}, err
	}
	if seen.found {
		view := en.backfill(ctx, f.backend, f.want.Object, f.key, at, seen)
		if view.Entry.State != cache.Present {
			return at, view, errStale
		}
		return at, view, nil
	}
	next, err := f.claim(ctx, at, seen)
	return next, View{}, err
}

// claim claims an object that has no copy and sends the job if that is won. From
// the claim on it does not end with ctx, whose client may leave: "pending" means
// that a job exists.
func (f *flight) claim(ctx context.Context, at cache.Snapshot, seen lookResult) (cache.Snapshot, error) {
	en, b, key := f.engine, f.backend, f.key
	ctx = context.WithoutCancel(ctx)
	id, outcome, claimed := cloudmirror.NewID(), cache.ClaimPending, ""
	at, _, err := en.update(ctx, key, at, func(e cache.Entry, now time.Time) (next cache.Entry, _ error) {
		next, outcome = e.Claim(now, id, seen.generation, en.timing.QueueLease)
		claimed = next.Job
		return next, nil
	})
	won := outcome == cache.ClaimWon || outcome == cache.ClaimResend
	switch {
	case err != nil && won: // the claim may have been made, and only the answer lost
		en.release(ctx, key, cache.Snapshot{}, claimed)
		return at, err
	case err != nil:
		return at, err
	case outcome == cache.ClaimStale:
		return at, errStale
	case !won:
		return at, nil
	}
	if err := en.send(ctx, b, f.jobFor(at, seen)); err != nil {
		en.release(ctx, key, at, at.Entry.Job)
		return at, err
	}
	f.expected = changesByClaim
	return at, nil
}

// jobFor returns the job of a claim.
func (f *flight) jobFor(at cache.Snapshot, seen lookResult) queue.Job {
	job := queue.Job{
		ID: at.Entry.Job, Object: f.want.Object, Backend: f.backend.ID, Generation: at.Entry.Generation,
		Tries: at.Entry.Tries, Replace: seen.expiring, SentAt: at.Now(), Nonce: at.Entry.Nonce,
	}
	if order := f.order.Load(); order != nil {
		job.Order = *order
	}
	return job
}

// changesByClaim is how many changes of the entry are expected after a claim was won: the
// claim itself and, as a rule, a copier that starts on the job. Neither is news to the
// clients that wait, so the entry is not read for them. If it was another change, such as
// a purge, the poll finds it.
const changesByClaim = 2

func (en *Engine) send(ctx context.Context, b *Backend, job queue.Job) error {
	err := b.sends.do(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, en.timing.Send)
		defer cancel()
		return b.Queue.Send(ctx, job, 0)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// release gives a claim back whose job was not sent. If the cache cannot be told,
// the lease ends it.
func (en *Engine) release(ctx context.Context, key cache.Key, at cache.Snapshot, job string) {
	var err error
	for range releaseTries {
		_, _, err = en.updateUnguarded(ctx, key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
			return e.Release(now, job), nil
		})
		if err == nil {
			return
		}
		at = cache.Snapshot{}
	}
	en.logger.Warn("a claim could not be released; its lease will end it", zap.Error(err))
}

// releaseTries is how often a claim is tried to be given back.
const releaseTries = 3
