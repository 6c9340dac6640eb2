package engine

import (
	"context"
	"fmt"
	"time"

	"cloudmirror/cache"
	"cloudmirror/queue"
)

// Defer lets a job that was received, but not begun, rest in its queue: a fresh
// message is sent, to be received after delay, and its claim is kept for as long,
// so that no claim takes the job for lost. The caller acknowledges the old message
// if the error is nil, and leaves it to be received again otherwise.
func (en *Engine) Defer(ctx context.Context, job queue.Job, delay time.Duration) error {
	b, err := en.backend(job.Backend)
	if err != nil {
		return err
	}
	if err := en.keep(ctx, job, delay); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, en.timing.Send)
	defer cancel()
	if err := b.Queue.Send(ctx, job, delay); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Keep keeps the claim of a job that was received and waits for its turn in a
// copier, so that no claim takes the job for lost.
func (en *Engine) Keep(ctx context.Context, job queue.Job) error {
	return en.keep(ctx, job, 0)
}

// KeepEvery is how often such a claim must be kept: three times in a lease.
func (en *Engine) KeepEvery() time.Duration { return en.timing.QueueLease / 3 }

func (en *Engine) keep(ctx context.Context, job queue.Job, delay time.Duration) error {
	_, _, err := en.update(ctx, cache.KeyOf(job.Object, job.Backend), cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Defer(now, job.ID, delay, en.timing.QueueLease), nil
	})
	return err
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
