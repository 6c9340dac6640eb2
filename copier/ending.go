package copier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/storage"
)

// errSlowest is the cause by which the slowest copy ends when another needs its slot
// or its memory.
var errSlowest = errors.New("copier: the slowest copy was handed back, as others needed its place")

// completeOrFail ends an attempt whose copy has ended, and its job.
func (t *task) completeOrFail(ctx context.Context, attempt *engine.Attempt, info storage.Info, begun time.Time, err error) (result, error) {
	t.activity.set("", nil)
	// What follows must happen although the copy may have been cancelled.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if errors.Is(err, errStopping) && ctx.Err() == nil { // while it waited
		return t.handBack(closing, attempt, 0, errStopping)
	}
	if err != nil {
		return t.failAttempt(ctx, closing, attempt, err)
	}
	if err := t.persist(closing, func() error { return attempt.Complete(closing, info) }); err != nil {
		return t.leaveMessage(err)
	}
	took := time.Since(begun)
	t.metrics.copied(t.backend.ID, took)
	t.logger.Info("copied", zap.Int64("bytes", info.SizeBytes), zap.Duration("took", took))
	t.releaseSlot() // an acknowledgement waits for others to share its request
	return resultCopied, t.acknowledge(closing)
}

// failAttempt ends an attempt whose copy ended with an error.
func (t *task) failAttempt(ctx, closing context.Context, attempt *engine.Attempt, err error) (result, error) {
	switch {
	case errors.Is(context.Cause(ctx), engine.ErrLost):
		return t.leaveMessage(engine.ErrLost)
	case errors.Is(context.Cause(ctx), errStopping):
		return t.handBack(closing, attempt, 0, errStopping)
	case errors.Is(context.Cause(ctx), errSlowest):
		if t.delivery.Job.Slow < maxSlow {
			return t.handBackSlow(closing, attempt)
		}
		err = &cloudmirror.Failure{
			Code: cloudmirror.CodeOriginTimeout, Err: errSlowest,
			Message: fmt.Sprintf("the origin is too slow: %d copies of the object were begun, and each had to give way to faster ones", maxSlow+1),
		}
	}
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return t.handBackRefused(closing, attempt, refused)
	}
	failure, isFailure := errors.AsType[*cloudmirror.Failure](err)
	if !isFailure {
		failure = &cloudmirror.Failure{Code: cloudmirror.CodeStorageFailed, Message: "the copy could not be stored", Err: err}
		if down := t.backend.storage.check(closing); down != nil {
			// Not the object's fault: it costs the job no try.
			t.backend.storage.suspect()
			return t.handBack(closing, attempt, downDelay, err)
		}
	}
	dead := false
	if err := t.persist(closing, func() (err error) { dead, err = attempt.Fail(closing, failure); return err }); err != nil {
		return t.leaveMessage(err)
	}
	switch {
	case dead:
		return t.buryMessage(closing, deadFailed, failure)
	case failure.Permanent:
		return resultFailed, errors.Join(failure, t.acknowledge(closing))
	}
	return resultRetry, errors.Join(failure, t.acknowledge(closing))
}

// failExhausted ends an attempt, before it touches the origin, at an object over which
// copiers died: the next one would be this one.
func (t *task) failExhausted(ctx context.Context, attempt *engine.Attempt) (result, error) {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	why := t.delivery.Unfit
	if why == nil {
		why = fmt.Errorf("%d tries in a row failed or were never ended, the last by a copier that died", engine.MaxTries)
	}
	failure := &cloudmirror.Failure{
		Code: cloudmirror.CodeCopierLost, Permanent: true, Err: why,
		Message: "the copy was begun several times, and each time the copier stopped before its end",
	}
	if err := t.persist(closing, func() error { _, err := attempt.Fail(closing, failure); return err }); err != nil {
		return t.leaveMessage(err)
	}
	return t.buryMessage(closing, deadExhausted, failure)
}

// persist repeats a change of the entry while the cache is down.
func (t *task) persist(ctx context.Context, change func() error) error {
	for failures := 1; ; failures++ {
		err := change()
		if !errors.Is(err, engine.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		t.cache.suspect()
		pause(ctx, backOff(failures))
	}
}

// buryMessage moves the message to the dead letters.
func (t *task) buryMessage(ctx context.Context, reason deadReason, why error) (result, error) {
	t.receiveMore() // it takes no slot any more
	var err error
	for failures := range buryTries {
		if failures > 0 {
			pause(ctx, backOff(failures))
		}
		if err = t.backend.Queue.Bury(ctx, t.delivery, cloudmirror.Brief(why)); err == nil {
			break
		}
	}
	if err != nil {
		return t.leaveMessage(errors.Join(why, err))
	}
	t.metrics.buried(t.backend.ID, reason)
	return resultDead, why
}

func (t *task) acknowledge(ctx context.Context) error {
	return t.backend.Queue.Ack(ctx, t.delivery)
}
