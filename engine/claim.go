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

// advance handles an entry that needs somebody to act, when it is its turn: storage
// is looked at and, if it has no copy, a job is claimed and sent. The view is set if
// storage has one.
func (f *flight) advance(ctx context.Context, at cache.Snapshot) (cache.Snapshot, View, error) {
	en := f.engine
	if err := en.takeTurn(ctx, f.backend.actTurns); err != nil {
		return at, View{}, err
	}
	defer f.backend.actTurns.Release(1)
	if at.Entry.State == cache.Absent && f.backend.looks.calm.Load() {
		return f.reserve(ctx, at)
	}
	seen, err := en.look(ctx, f.backend, f.want.Object)
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

// reserve is advance for an object of which the cache knows nothing. The claim
// comes before the look, and its record stands while storage is looked at: so what
// was seen needs no further proof, neither here nor by the copier. From the claim
// on it does not end with ctx, whose client may leave: "pending" means that a job
// exists, or will in a moment.
func (f *flight) reserve(ctx context.Context, at cache.Snapshot) (cache.Snapshot, View, error) {
	en := f.engine
	ctx = context.WithoutCancel(ctx)
	id, nonce := cloudmirror.NewID(), cloudmirror.NewID()
	at, _, err := en.update(ctx, f.key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Reserve(now, id, nonce, en.timing.Reserve), nil
	})
	if err != nil { // the claim may have been made, and only the answer lost
		en.release(ctx, f.key, cache.Snapshot{}, id)
		return at, View{}, err
	}
	if !at.Entry.IsReserved(nonce) { // somebody was faster
		return at, View{}, nil
	}
	seen, err := en.look(ctx, f.backend, f.want.Object)
	if err == nil && seen.found {
		return f.discover(ctx, at, nonce, seen)
	}
	if err == nil && seen.generation != at.Entry.Generation {
		at, err = f.adopt(ctx, at, nonce, seen.generation)
	}
	if err == nil {
		err = en.send(ctx, f.backend, f.jobFor(at, seen))
	}
	if err != nil {
		en.release(ctx, f.key, at, id)
		return at, View{}, err
	}
	f.foreseen, f.reserved = foreseenChanges, id
	return at, View{}, nil
}

// discover notes a copy that was seen while a reservation stood. If the cache
// cannot be told, the copy is good without it.
func (f *flight) discover(ctx context.Context, at cache.Snapshot, nonce string, seen sight) (cache.Snapshot, View, error) {
	noted, refused, err := f.engine.insist(ctx, f.key, at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e.Discover(nonce, seen.generation, seen.copied, seen.expires)
	})
	switch {
	case err != nil:
		f.engine.logger.Warn("a copy could not be noted in the cache", zap.Error(err))
		return at, View{Entry: seen.entry(), Source: FromStorage, Now: time.Now(), began: seen.began}, nil
	case refused != nil || noted.Entry.State != cache.Present:
		return noted, View{}, errStale
	}
	f.engine.saw(f.backend, f.key, noted)
	return noted, View{Entry: noted.Entry, Source: FromStorage, Now: noted.Now(), began: seen.began}, nil
}

// adopt tells a reservation of the generation that a purge made, which nobody else
// knew any more.
func (f *flight) adopt(ctx context.Context, at cache.Snapshot, nonce string, g cloudmirror.Generation) (cache.Snapshot, error) {
	adopted, refused, err := f.engine.insist(ctx, f.key, at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e.Adopt(nonce, g)
	})
	switch {
	case err != nil:
		return at, err
	case refused != nil:
		return adopted, errStale
	}
	return adopted, nil
}

// keepReservation keeps the reservation of a job that is still in its queue when
// the flight reads the entry again, for as long as that may take. Until then it is
// short, so that a front end that dies before it sent the job holds nobody up for long.
func (f *flight) keepReservation(ctx context.Context, at cache.Snapshot) {
	if f.foreseen > 0 { // it was made just now
		return
	}
	job := f.reserved
	f.reserved = ""
	if job == "" || at.Entry.State != cache.Queued || at.Entry.Job != job {
		return
	}
	_, _, err := f.engine.update(ctx, f.key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Defer(now, job, 0, f.engine.timing.QueueLease), nil
	})
	if err == nil {
		f.foreseen = foreseenChanges
	}
}

// claim claims an object that has no copy and sends the job if that is won. From
// the claim on it does not end with ctx, whose client may leave: "pending" means
// that a job exists.
func (f *flight) claim(ctx context.Context, at cache.Snapshot, seen sight) (cache.Snapshot, error) {
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
	f.foreseen = foreseenChanges
	return at, nil
}

// jobFor returns the job of a claim.
func (f *flight) jobFor(at cache.Snapshot, seen sight) queue.Job {
	job := queue.Job{
		ID: at.Entry.Job, Object: f.want.Object, Backend: f.backend.ID, Generation: at.Entry.Generation,
		Tries: at.Entry.Tries, Replace: seen.expiring, SentAt: at.Now(), Nonce: at.Entry.Nonce,
	}
	if f.want.Order != nil {
		job.Order = *f.want.Order
	}
	return job
}

// After a claim was won, the first change that is told of is the claim itself, and
// the next one, as a rule, a copier that starts on the job. Neither is news to
// those who wait, so neither is looked at. If it was something else, such as a
// purge, the poll finds it.
const foreseenChanges = 2

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
		_, _, err = en.insist(ctx, key, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
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
