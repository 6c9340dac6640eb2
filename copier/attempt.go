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

// copyWhenAdmitted copies the object when its hosts admit it, and ends the attempt. A
// copy that finds no turn at a
// host that its origin redirects to, or that is long and finds no turn for long ones,
// ends; its job waits for those turns, and is copied then.
func (t *task) copyWhenAdmitted(ctx, stopping context.Context, attempt *engine.Attempt) (result, error) {
	for waits := 0; ; waits++ {
		use, again := t.asks[0].admit(t.delivery.Job.Object, t.delivery.Job.Tries)
		if use == nil {
			return t.postponeAttempt(ctx, attempt, again)
		}
		t.visits = newVisits(t.hosts, t.delivery.Job, use, t.turns)
		t.activity.set(presence.Copying, t.asks[0])
		begun := time.Now()
		info, err := t.copyAndProve(ctx, attempt)
		refused, isRefused := errors.AsType[*refusedError](err)
		if isRefused && refused.isCrowded && waits < maxWaits {
			if err = t.waitForRefusingHost(ctx, stopping, refused); err == nil {
				continue
			}
		}
		return t.completeOrFail(ctx, attempt, info, begun, err)
	}
}

// copyAndProve copies the object and has its generation proven meanwhile, unless a host has no turn for it: then the error is a
// *refusedError.
func (t *task) copyAndProve(ctx context.Context, attempt *engine.Attempt) (storage.Info, error) {
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
	info, err := t.copyWithinDeadline(ctx, attempt)
	endProof(err == nil)
	if t.isLong = visits.isLongCopy(); t.isLong {
		attempt.Lengthen() // the next copier waits for the turn of a long one before it asks the origin
	}
	if refused, ok := errors.AsType[*refusedError](context.Cause(ctx)); ok && err != nil {
		return info, refused
	}
	return info, err
}
