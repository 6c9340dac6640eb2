package copier

import (
	"context"
	"errors"
	"time"

	"cloudmirror/engine"
	"cloudmirror/presence"
	"cloudmirror/storage"
)

// maxWaits is how often the job of one attempt waits for a host that refused its copy,
// before it goes back to the queue.
const maxWaits = 4

// carryOut copies the object and ends the attempt. A copy that finds no turn at a
// host that its origin redirects to, or that is long and finds no turn for long ones,
// ends; its job waits for those turns, and is copied then.
func (t *task) carryOut(ctx, stopping context.Context, attempt *engine.Attempt) (result, error) {
	for waits := 0; ; waits++ {
		try, again := t.asks[0].admit(t.delivery.Job.Object, t.delivery.Job.Tries)
		if try == nil {
			return t.postpone(ctx, attempt, again)
		}
		t.visits = newVisits(t.hosts, t.delivery.Job, try, t.turns)
		t.activity.set(presence.Copying, t.asks[0])
		begun := time.Now()
		info, err := t.copyOnce(ctx, attempt)
		refused, isRefused := errors.AsType[*refusedError](err)
		if isRefused && refused.isCrowded && waits < maxWaits {
			if err = t.waitFor(ctx, stopping, refused); err == nil {
				continue
			}
		}
		return t.end(ctx, attempt, info, begun, err)
	}
}

// copyOnce copies the object, unless a host has no turn for it: then the error is a
// *refusedError.
func (t *task) copyOnce(ctx context.Context, attempt *engine.Attempt) (storage.Info, error) {
	ctx, giveWay := context.WithCancelCause(ctx)
	defer giveWay(nil)
	visits := t.visits
	late := time.AfterFunc(longAfter, func() {
		if total := t.total.Load(); total <= 0 || t.read.Load() < total/2 {
			visits.overstay(giveWay)
		}
	})
	defer late.Stop()
	latest := time.AfterFunc(2*longAfter, func() { visits.overstay(giveWay) })
	defer latest.Stop()
	running := t.metrics.running.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region)
	running.Inc()
	defer running.Dec()
	endProof := t.startProof(ctx, attempt)
	info, err := t.copy(ctx, attempt)
	endProof(err == nil)
	if t.isLong = visits.isLongCopy(); t.isLong {
		attempt.Lengthen() // the next copier waits for the turn of a long one before it asks the origin
	}
	if refused, ok := errors.AsType[*refusedError](context.Cause(ctx)); ok && err != nil {
		return info, refused
	}
	return info, err
}

// refused ends an attempt at an object one of whose hosts is not to be asked now.
// Where that has too many copies, and too many jobs wait for it, the job rests in the
// queue until a turn of it may be free.
func (t *task) refused(closing context.Context, attempt *engine.Attempt, why *refusedError) (result, error) {
	if !why.isCrowded {
		return t.postpone(closing, attempt, why.again)
	}
	t.metrics.refused.WithLabelValues(t.backend.ID.Service, t.backend.ID.Region).Inc()
	if r, err := t.handBack(closing, attempt, t.askToo(why.origin).nextTurn(), nil); err != nil {
		return r, err
	}
	return resultDeferred, nil
}
