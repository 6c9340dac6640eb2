package copier

import (
	"context"
	"errors"
	"time"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

// postponeAttempt ends an attempt whose host is paused, without a try: a front end
// whose clients want the object tries again after the rest. The message ends here, so that no number of
// jobs goes round while a host is down.
func (t *task) postponeAttempt(ctx context.Context, attempt *engine.Attempt, rest time.Duration) (result, error) {
	t.metrics.refused.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region).Inc()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	failure := &cloudmirror.Failure{
		Code: cloudmirror.CodeOriginPaused, RetryAfter: rest,
		Message: "this copier leaves the origin's host alone for a while, because it fails or asked for that; the copy is tried later",
	}
	if t.delivery.Job.Redriven {
		// An operator was told that it is tried, and its letter is gone.
		return t.handBack(closing, attempt, min(rest, queue.MaxDelay), failure)
	}
	if err := t.persist(closing, func() error { return attempt.Postpone(closing, failure) }); err != nil {
		return t.leaveMessage(err)
	}
	return resultPostponed, t.acknowledge(closing)
}

// putBackUnclaimed treats a job of which the engine could not tell what is to be done.
// While the cache or the storage is down, it puts the job back. Otherwise that is the
// job's own trouble: the message is left, and its receives count.
func (t *task) putBackUnclaimed(ctx context.Context, why error) (result, error) {
	if t.delivery.Unfit != nil {
		return t.leaveMessage(why) // a fresh message would forget how often it was received
	}
	cacheDown, storageDown := t.cache.check(ctx), t.backend.storage.check(ctx)
	if cacheDown == nil && storageDown == nil {
		return t.leaveMessage(why)
	}
	if cacheDown != nil {
		t.cache.suspect()
	}
	if storageDown != nil {
		t.backend.storage.suspect()
	}
	return t.putBack(ctx, downDelay, why)
}

// leaveMessage gives up a message without acknowledging it. A copier receives it again, and
// then finds a copy, another attempt, or something to do.
func (t *task) leaveMessage(err error) (result, error) {
	if errors.Is(err, engine.ErrLost) {
		return resultLost, err
	}
	return resultLeft, err
}

// handBackSlow ends an attempt that was the slowest when another copy needed its slot. Its
// job rests longer each time, and no try is used up.
func (t *task) handBackSlow(ctx context.Context, attempt *engine.Attempt) (result, error) {
	if err := attempt.HandBackSlow(ctx, later(slowDelay<<t.delivery.Job.Slow)); err != nil {
		return t.leaveMessage(errors.Join(errSlowest, err))
	}
	return resultHandedBack, errors.Join(errSlowest, t.acknowledge(ctx))
}

// handBack ends an attempt and gives its job back to the queue.
func (t *task) handBack(ctx context.Context, attempt *engine.Attempt, delay time.Duration, why error) (result, error) {
	if err := attempt.HandBack(ctx, delay); err != nil {
		return t.leaveMessage(errors.Join(why, err))
	}
	return resultHandedBack, errors.Join(why, t.acknowledge(ctx))
}

// putBack gives back a job that was not begun: as a fresh message, so that no
// receive is used up.
func (t *task) putBack(ctx context.Context, delay time.Duration, why error) (result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if err := t.backend.Queue.Send(ctx, t.delivery.Job, delay); err != nil {
		return t.leaveMessage(errors.Join(why, err))
	}
	return resultHandedBack, errors.Join(why, t.acknowledge(ctx))
}

// deferJob gives back a job for whose host too many others wait, until its turn may
// come.
func (t *task) deferJob(ctx context.Context, delay time.Duration) (result, error) {
	if t.delivery.Unfit != nil {
		return t.leaveMessage(t.delivery.Unfit) // a fresh message would forget how often it was received
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if err := t.engine.Defer(ctx, t.delivery.Job, delay); err != nil {
		return t.leaveMessage(err)
	}
	return resultDeferred, t.acknowledge(ctx)
}

// handBackRefused ends an attempt at an object one of whose hosts is not to be asked now.
// Where that has too many copies, and too many jobs wait for it, the job rests in the
// queue until a turn of it may be free.
func (t *task) handBackRefused(closing context.Context, attempt *engine.Attempt, why *refusedError) (result, error) {
	if !why.isCrowded {
		return t.postponeAttempt(closing, attempt, why.again)
	}
	t.metrics.refused.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region).Inc()
	if r, err := t.handBack(closing, attempt, t.askToo(why.origin).nextTurn(), nil); err != nil {
		return r, err
	}
	return resultDeferred, nil
}
