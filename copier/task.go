package copier

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// Limits of what is done after a copy ended.
const (
	closingTimeout = 30 * time.Second // for telling the entry and the queue how it ended
	heldDelay      = time.Minute      // how long a second message of a running attempt's job rests
	downDelay      = 5 * time.Second  // how long a job rests that was given back since the cache or the storage is down
	slowDelay      = 10 * time.Second // how long a job rests whose copy was the slowest; doubled each time
	maxSlow        = 4                // how often that is done before it costs a try
	buryTries      = 3                // how often the copier tries to write a dead letter
)

// errSlowest is the cause by which the slowest copy ends when another needs its place
// or its memory.
var errSlowest = errors.New("copier: the slowest copy was handed back, as others needed its place")

// A task is one delivery being worked on.
type task struct {
	*Copier
	backend  *backend
	delivery queue.Delivery
	received time.Time
	activity activity // for Copies
	placed   func()   // more jobs may be received
	logger   *zap.Logger
	visits   *visits                 // nil until the host admitted one
	cancel   context.CancelCauseFunc // of the work
	asks     []*host                 // its object's own host, and those whose turns it has waited for
	numbers  map[*host]uint64        // of the job in the lines of hosts
	isLong   bool                    // it needs the turns of a long copy
	turns    []*turn                 // of the hosts that it asks; the work's own
	place    *place                  // nil until there is a slot
	makeWay  func()                  // gives place and turns back, once

	kept    time.Time                      // when the claim of a job that waits was kept last; the heartbeat's own
	attempt atomic.Pointer[engine.Attempt] // nil until begun
	read    atomic.Int64                   // bytes of the body so far
	total   atomic.Int64                   // bytes of the body, -1 if not known
}

// handle works on one delivery until its message needs no more attention. The
// context work ends with the grace period, stopping before it. When the task has a
// slot, waits for a host or needs none, it calls placed, which may be called again.
func (c *Copier) handle(stopping, work context.Context, b *backend, d queue.Delivery, placed func()) {
	defer placed()
	t := &task{Copier: c, backend: b, delivery: d, received: time.Now(), placed: placed, numbers: make(map[*host]uint64), logger: c.logger.With(
		zap.Stringer("backend", b.ID), zap.Stringer("object", d.Job.Object), zap.String("job", d.Job.ID),
	)}
	t.total.Store(-1)
	c.held.add(t)
	defer c.held.remove(t)
	ctx, cancel := context.WithCancelCause(work)
	defer cancel(nil)
	t.cancel = cancel
	stopHeartbeat := t.startHeartbeat(ctx, cancel)
	r, err := t.work(ctx, stopping)
	stopHeartbeat()
	c.metrics.ended(b.ID, r)
	t.report(r, err)
}

// work waits for its turn, begins an attempt and carries it out. The error is
// for the log.
func (t *task) work(ctx, stopping context.Context) (result, error) {
	if errors.Is(t.delivery.Unfit, queue.ErrMalformed) {
		return t.bury(ctx, deadMalformed, t.delivery.Unfit)
	}
	if t.delivery.Job.Backend != t.backend.ID {
		return t.bury(ctx, deadMisrouted, fmt.Errorf("the job is for backend %s, its queue for %s", t.delivery.Job.Backend, t.backend.ID))
	}
	if t.backend.Rules.IsDirect(t.delivery.Job.Object) {
		t.placed() // it takes no slot
		return t.begin(ctx, stopping)
	}
	t.isLong = t.delivery.Job.Long
	t.askToo(t.delivery.Job.Object.Origin())
	defer t.leaveHosts()
	switch err := t.takePlace(stopping); {
	case errors.Is(err, errCrowded):
		return t.deferJob(ctx, t.asks[0].nextDelivery())
	case err != nil:
		return t.putBack(ctx, 0, errStopping)
	}
	defer func() { t.makeWay() }()
	return t.begin(ctx, stopping)
}

// begin begins an attempt and carries it out. If the object is never copied no host
// is asked or waited for: the attempt fails before.
func (t *task) begin(ctx, stopping context.Context) (result, error) {
	attempt, outcome, err := t.engine.Begin(ctx, t.delivery.Job)
	if err != nil {
		return t.notBegun(ctx, err)
	}
	switch outcome {
	case engine.Exists:
		return resultExists, t.acknowledge(ctx)
	case engine.Stale:
		return resultStale, t.acknowledge(ctx)
	case engine.Busy:
		return resultDuplicate, t.acknowledge(ctx)
	case engine.Held:
		if t.delivery.Unfit != nil {
			return t.leave(t.delivery.Unfit) // a fresh message would forget how often it was received
		}
		return t.putBack(ctx, heldDelay, nil)
	case engine.Begun, engine.Exhausted, engine.Undecided:
	}
	t.attempt.Store(attempt)
	if len(t.asks) == 0 {
		return t.refuseDirect(ctx, attempt)
	}
	if outcome == engine.Exhausted || t.delivery.Unfit != nil {
		return t.giveUp(ctx, attempt)
	}
	return t.carryOut(ctx, stopping, attempt)
}

// postpone ends an attempt whose host is paused, without a try: a front end
// whose clients want the object tries again after the rest. The message ends here, so that no number of
// jobs goes round while a host is down.
func (t *task) postpone(ctx context.Context, attempt *engine.Attempt, rest time.Duration) (result, error) {
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
		return t.leave(err)
	}
	return resultPostponed, t.acknowledge(closing)
}

// notBegun treats a job of which the engine could not tell what is to be done. If
// that is because the cache or the storage is down, the job is put back; otherwise it is
// the job's own trouble, and its receives count.
func (t *task) notBegun(ctx context.Context, why error) (result, error) {
	if t.delivery.Unfit != nil {
		return t.leave(why) // a fresh message would forget how often it was received
	}
	cacheDown, storageDown := t.cache.check(ctx), t.backend.storage.check(ctx)
	if cacheDown == nil && storageDown == nil {
		return t.leave(why)
	}
	if cacheDown != nil {
		t.cache.doubt()
	}
	if storageDown != nil {
		t.backend.storage.doubt()
	}
	return t.putBack(ctx, downDelay, why)
}

// end ends an attempt whose copy has ended, and its job.
func (t *task) end(ctx context.Context, attempt *engine.Attempt, info storage.Info, begun time.Time, err error) (result, error) {
	t.activity.set("", nil)
	// What follows must happen although the copy may have been cancelled.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if errors.Is(err, errStopping) && ctx.Err() == nil { // while it waited
		return t.handBack(closing, attempt, 0, errStopping)
	}
	if err != nil {
		return t.failed(ctx, closing, attempt, err)
	}
	if err := t.persist(closing, func() error { return attempt.Complete(closing, info) }); err != nil {
		return t.leave(err)
	}
	took := time.Since(begun)
	t.metrics.copied(t.backend.ID, took)
	t.logger.Info("copied", zap.Int64("bytes", info.SizeBytes), zap.Duration("took", took))
	t.makeWay() // an acknowledgement waits for others to share its request
	return resultCopied, t.acknowledge(closing)
}

// startProof has the generation proven while the copy runs, so that a small one
// need not wait for it afterwards. The copy of an object that was purged is
// cancelled. The returned function waits for the end, or gives the proof up if it
// is not needed any more.
func (t *task) startProof(ctx context.Context, attempt *engine.Attempt) (end func(isNeeded bool)) {
	ctx, giveUp := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		switch err := attempt.Prove(ctx); {
		case errors.Is(err, engine.ErrLost):
			t.cancel(err)
		case err != nil && ctx.Err() == nil:
			t.logger.Warn("the generation of a running copy cannot be read from storage; trying again", zap.Error(err))
		}
	}()
	return func(isNeeded bool) {
		if !isNeeded {
			giveUp()
		}
		<-done
		giveUp()
	}
}

// failed ends an attempt whose copy ended with an error.
func (t *task) failed(ctx, closing context.Context, attempt *engine.Attempt, err error) (result, error) {
	switch {
	case errors.Is(context.Cause(ctx), engine.ErrLost):
		return t.leave(engine.ErrLost)
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
		return t.refused(closing, attempt, refused)
	}
	failure, isFailure := errors.AsType[*cloudmirror.Failure](err)
	if !isFailure {
		failure = &cloudmirror.Failure{Code: cloudmirror.CodeStorageFailed, Message: "the copy could not be stored", Err: err}
		if down := t.backend.storage.check(closing); down != nil {
			// Not the object's fault: it costs the job no try.
			t.backend.storage.doubt()
			return t.handBack(closing, attempt, downDelay, err)
		}
	}
	dead := false
	if err := t.persist(closing, func() (err error) { dead, err = attempt.Fail(closing, failure); return err }); err != nil {
		return t.leave(err)
	}
	switch {
	case dead:
		return t.bury(closing, deadFailed, failure)
	case failure.Permanent:
		return resultFailed, errors.Join(failure, t.acknowledge(closing))
	}
	return resultRetry, errors.Join(failure, t.acknowledge(closing))
}

// giveUp ends an attempt, before it touches the origin, at an object over which
// copiers died: the next one would be this one.
func (t *task) giveUp(ctx context.Context, attempt *engine.Attempt) (result, error) {
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
		return t.leave(err)
	}
	return t.bury(closing, deadExhausted, failure)
}

// persist repeats a change of the entry while the cache is down.
func (t *task) persist(ctx context.Context, change func() error) error {
	for failures := 1; ; failures++ {
		err := change()
		if !errors.Is(err, engine.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		t.cache.doubt()
		pause(ctx, backOff(failures))
	}
}

// leave gives up a message without acknowledging it. A copier receives it again, and
// then finds a copy, another attempt, or something to do.
func (t *task) leave(err error) (result, error) {
	if errors.Is(err, engine.ErrLost) {
		return resultLost, err
	}
	return resultLeft, err
}

// handBackSlow ends an attempt that was the slowest when its place was needed. Its
// job rests longer each time, and no try is used up.
func (t *task) handBackSlow(ctx context.Context, attempt *engine.Attempt) (result, error) {
	if err := attempt.HandBackSlow(ctx, later(slowDelay<<t.delivery.Job.Slow)); err != nil {
		return t.leave(errors.Join(errSlowest, err))
	}
	return resultHandedBack, errors.Join(errSlowest, t.acknowledge(ctx))
}

// handBack ends an attempt and gives its job back to the queue.
func (t *task) handBack(ctx context.Context, attempt *engine.Attempt, delay time.Duration, why error) (result, error) {
	if err := attempt.HandBack(ctx, delay); err != nil {
		return t.leave(errors.Join(why, err))
	}
	return resultHandedBack, errors.Join(why, t.acknowledge(ctx))
}

// putBack gives back a job that was not begun: as a fresh message, so that no
// receive is used up.
func (t *task) putBack(ctx context.Context, delay time.Duration, why error) (result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if err := t.backend.Queue.Send(ctx, t.delivery.Job, delay); err != nil {
		return t.leave(errors.Join(why, err))
	}
	return resultHandedBack, errors.Join(why, t.acknowledge(ctx))
}

// deferJob gives back a job for whose host too many others wait, until its turn may
// come.
func (t *task) deferJob(ctx context.Context, delay time.Duration) (result, error) {
	if t.delivery.Unfit != nil {
		return t.leave(t.delivery.Unfit) // a fresh message would forget how often it was received
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if err := t.engine.Defer(ctx, t.delivery.Job, delay); err != nil {
		return t.leave(err)
	}
	return resultDeferred, t.acknowledge(ctx)
}

func (t *task) bury(ctx context.Context, reason deadReason, why error) (result, error) {
	t.placed() // it takes no slot any more
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
		return t.leave(errors.Join(why, err))
	}
	t.metrics.buried(t.backend.ID, reason)
	return resultDead, why
}

func (t *task) acknowledge(ctx context.Context) error {
	return t.backend.Queue.Ack(ctx, t.delivery)
}
