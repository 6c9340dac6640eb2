package copier

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
	"cloudmirror/engine"
)

// startHeartbeat keeps the message hidden, the claim of a job that waits for its
// turn and, once there is an attempt, its entry held, until the returned function is called. If the attempt is lost it
// cancels the copy with ErrLost.
func (t *task) startHeartbeat(ctx context.Context, cancel context.CancelCauseFunc) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(min(t.engine.RenewEvery(), t.visibility/3))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := t.beat(ctx); errors.Is(err, engine.ErrLost) {
				cancel(err)
				return
			}
		}
	}()
	return func() {
		end()
		<-done
	}
}

// beat renews both holds on the job. Only ErrLost is returned: with the queue or
// the cache down the copy goes on, and is worth having.
func (t *task) beat(ctx context.Context) error {
	if err := t.backend.Queue.Extend(ctx, t.delivery, t.visibility); err != nil && ctx.Err() == nil {
		t.logger.Warn("the message of a running copy could not be kept hidden in the queue", zap.Error(err))
	}
	attempt := t.attempt.Load()
	if attempt == nil {
		t.keepClaim(ctx)
		return nil
	}
	err := attempt.Renew(ctx, cache.Progress{DoneBytes: t.read.Load(), TotalBytes: t.total.Load()})
	if err != nil && !errors.Is(err, engine.ErrLost) && ctx.Err() == nil {
		t.logger.Warn("the entry of a running copy could not be renewed in the cache", zap.Error(err))
		return nil
	}
	return err
}

// keepClaim keeps the claim of a job that waits, now and then.
func (t *task) keepClaim(ctx context.Context) {
	if t.kept.IsZero() {
		t.kept = time.Now() // it was claimed or deferred for longer than this takes
	}
	if time.Since(t.kept) < t.engine.KeepEvery() {
		return
	}
	t.kept = time.Now()
	if err := t.engine.Keep(ctx, t.delivery.Job); err != nil && ctx.Err() == nil {
		t.logger.Warn("the claim of a waiting job could not be renewed in the cache", zap.Error(err))
	}
}
