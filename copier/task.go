package copier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"cloudmirror/engine"
	"cloudmirror/queue"
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

// A task is one delivery being worked on.
type task struct {
	*Copier
	backend     *backend
	delivery    queue.Delivery
	received    time.Time
	activity    activity // for Copies
	receiveMore func()   // more jobs may be received
	logger      *zap.Logger
	visits      *visits                 // nil until the host admitted one
	cancel      context.CancelCauseFunc // of the work
	asks        []*host                 // its object's own host, and those whose turns it has waited for
	numbers     map[*host]uint64        // of the job in the lines of hosts
	isLong      bool                    // it needs the turns of a long copy
	turns       []*turn                 // of the hosts that it asks; the work's own
	slot        *slot                   // nil until there is a slot
	releaseSlot func()                  // gives the slot and the turns back, once

	kept    time.Time                      // when the claim of a job that waits was kept last; the heartbeat's own
	attempt atomic.Pointer[engine.Attempt] // nil until begun
	read    atomic.Int64                   // bytes of the body so far
	total   atomic.Int64                   // bytes of the body, -1 if not known
}

// handle works on one delivery until its message needs no more attention. The
// context work ends with the grace period, stopping before it. When the task has a
// slot, waits for a host or needs none, it calls receiveMore, which may be called again.
func (c *Copier) handle(stopping, work context.Context, b *backend, d queue.Delivery, receiveMore func()) {
	defer receiveMore()
	t := &task{Copier: c, backend: b, delivery: d, received: time.Now(), receiveMore: receiveMore, numbers: make(map[*host]uint64), logger: c.logger.With(
		zap.Stringer("backend", b.ID), zap.Stringer("object", d.Job.Object), zap.String("job", d.Job.ID),
	)}
	t.total.Store(-1)
	c.held.add(t)
	defer c.held.remove(t)
	ctx, cancel := context.WithCancelCause(work)
	defer cancel(nil)
	t.cancel = cancel
	stopHeartbeat := t.startHeartbeat(ctx, cancel)
	r, err := t.admitJob(ctx, stopping)
	stopHeartbeat()
	c.metrics.ended(b.ID, r)
	t.report(r, err)
}

// admitJob buries a message that is no job of this backend, and has the job claimed once
// there are turns and a slot for it. The error is for the log.
func (t *task) admitJob(ctx, stopping context.Context) (result, error) {
	if errors.Is(t.delivery.Unfit, queue.ErrMalformed) {
		return t.buryMessage(ctx, deadMalformed, t.delivery.Unfit)
	}
	if t.delivery.Job.Backend != t.backend.ID {
		return t.buryMessage(ctx, deadMisrouted, fmt.Errorf("the job is for backend %s, its queue for %s", t.delivery.Job.Backend, t.backend.ID))
	}
	if t.backend.Rules.IsDirect(t.delivery.Job.Object) {
		t.receiveMore() // it takes no slot
		return t.claimJob(ctx, stopping)
	}
	t.isLong = t.delivery.Job.Long
	t.askToo(t.delivery.Job.Object.Origin())
	if t.isBackground() {
		t.asks = slices.Insert(t.asks, backgroundAsk, t.hosts.visitBackground())
	}
	defer t.leaveHosts()
	if err := t.acquireSlot(stopping); err != nil {
		if crowded, ok := errors.AsType[*crowdedError](err); ok {
			return t.deferJob(ctx, crowded.host.nextDelivery())
		}
		return t.putBack(ctx, 0, errStopping)
	}
	defer func() { t.releaseSlot() }()
	return t.claimJob(ctx, stopping)
}

// claimJob begins an attempt and has the object copied, if there is something to copy.
// If the object is never copied no host is asked or waited for: the attempt fails before.
func (t *task) claimJob(ctx, stopping context.Context) (result, error) {
	attempt, outcome, err := t.engine.Begin(ctx, t.delivery.Job)
	if err != nil {
		return t.putBackUnclaimed(ctx, err)
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
			return t.leaveMessage(t.delivery.Unfit) // a fresh message would forget how often it was received
		}
		return t.putBack(ctx, heldDelay, nil)
	case engine.Begun, engine.Exhausted, engine.Undecided:
	}
	t.attempt.Store(attempt)
	if len(t.asks) == 0 {
		return t.refuseDirect(ctx, attempt)
	}
	if outcome == engine.Exhausted || t.delivery.Unfit != nil {
		return t.failExhausted(ctx, attempt)
	}
	return t.copyWhenAdmitted(ctx, stopping, attempt)
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
