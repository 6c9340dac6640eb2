package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
)

// After a purge overtook it, a flight waits for staleRetry and looks again, at most
// maxStale times.
const (
	staleRetry = 50 * time.Millisecond
	maxStale   = 20
)

// run is the life of a flight. It registers for changes first, so that none is
// missed after that. What was seen before is good for an absent entry: the claim
// swaps it for a job, or is told what came between. Any other is read again.
func (f *flight) run(ctx context.Context, at cache.Snapshot) {
	changed, stop := f.engine.cache.Watch(f.key)
	defer stop()
	source, stale := FromCache, 0
	for fresh := at.Entry.State == cache.Absent; ; fresh = false {
		var err error
		began := f.engine.moment()
		if !fresh {
			at, err = f.engine.get(ctx, f.key)
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			view, err := f.engine.seek(ctx, f.backend, f.want, f.key, at, err)
			f.tell(final, view, err)
			return
		}
		f.expected = 0
		pause, done, err := f.step(ctx, at, View{Source: source, began: began})
		switch {
		case done:
			return
		case err == nil:
			source, stale = FromCopy, 0
		default:
			if stale++; stale > maxStale {
				f.tell(final, View{Entry: at.Entry, Now: at.Now()}, fmt.Errorf("%w: %w", ErrUnavailable, err))
				return
			}
			pause = f.overtaken(ctx, stale)
		}
		if f.awaitChange(ctx, changed, pause) != nil {
			break
		}
	}
	f.tell(final, f.news().view, ErrClosed) // no client waits, or the process stops
}

// overtaken is called when a purge was found to have happened since storage was
// looked at, for the n-th time in a row, and returns how long to wait before the
// next look. If the purge never gets to its tombstone, it has died halfway: then
// its tombstone is written here.
func (f *flight) overtaken(ctx context.Context, n int) time.Duration {
	if n == maxStale/2 {
		if _, err := f.engine.writeTombstone(ctx, f.backend, f.want); err != nil && ctx.Err() == nil {
			f.engine.logger.Warn("a purge that died halfway could not be ended", zap.Error(err))
		}
	}
	return staleRetry
}

// step does what an entry asks for; view says where it comes from. It reports how long
// to wait, at most, for the entry to change, or that the outcome is final and told. The
// error is errStale.
func (f *flight) step(ctx context.Context, at cache.Snapshot, view View) (pause time.Duration, done bool, err error) {
	for {
		now := at.Now()
		e := at.Entry.At(now)
		view.Entry, view.Now = e, now
		switch s := stageOf(e); {
		case s == final:
			f.tell(final, view, nil)
			return 0, true, nil
		case e.State == cache.Failed && now.Before(e.Failure.RetryAt):
			f.tell(ensured, view, nil)
			return min(f.engine.timing.Poll, e.Failure.RetryAt.Sub(now)), false, nil
		case e.Pending() && !e.Lapsed(now):
			f.tell(ensured, view, nil)
			f.keepReservation(ctx, at)
			return min(f.engine.timing.Poll, e.Until.Sub(now)), false, nil
		case e.State == cache.Evicting: // nothing is sure before it has ended
			return min(f.engine.timing.Poll, e.Until.Sub(now)), false, nil
		}
		began := f.engine.moment()
		next, found, err := f.findOrClaim(ctx, at)
		switch {
		case errors.Is(err, errStale):
			return 0, false, err
		case ctx.Err() != nil:
			return 0, false, nil //nolint:nilerr // no client waits any more, as run notices
		case err != nil || found.Entry.State == cache.Present:
			f.tell(final, found, err)
			return 0, true, nil
		}
		at, view.began = next, began
	}
}

// errStale says that the object was purged since the look at storage began.
var errStale = errors.New("engine: purged meanwhile")

// awaitChange waits for a change that was not expected, but no longer than pause. The
// read that follows covers all changes that were told of.
func (f *flight) awaitChange(ctx context.Context, changed <-chan struct{}, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case <-changed:
			waiting = f.expected > 0
			f.expected--
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for len(changed) > 0 {
		<-changed
	}
	return ctx.Err()
}
