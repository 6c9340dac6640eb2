package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
)

// After a purge overtook it, a flight waits a little and looks again, so often at
// most.
const (
	staleRetry = 50 * time.Millisecond
	maxStale   = 20
)

// A flight follows one object in one backend for all clients of this process
// that wait for it. It ends when the outcome is final, or nobody waits.
type flight struct {
	engine  *Engine
	backend *Backend
	want    Want
	key     cache.Key

	cancel  context.CancelFunc
	waiters int // guarded by Engine.mu

	// Of its own goroutine:
	foreseen int    // how many changes of the entry will be told of that need no look, since it knows what they are
	reserved string // the job of a reservation that is not kept for as long as a queue may take yet

	mu     sync.Mutex
	latest *news
}

// News is what a flight tells its waiters. It is not changed once it was told.
type news struct {
	stage   stage
	view    View
	err     error
	changed chan struct{} // closed when there is other news
}

// joinRunning returns the flight of a key, which the caller must leave, and a
// moment before that; nil if there is none. Most often there is no flight at all,
// and then this costs next to nothing.
func (en *Engine) joinRunning(key cache.Key) (*flight, moment) {
	if en.flying.Load() == 0 {
		return nil, 0
	}
	en.mu.Lock()
	defer en.mu.Unlock()
	f := en.flights[key]
	if f == nil {
		return nil, 0
	}
	f.waiters++
	return f, en.moment()
}

// join returns the flight of a key, which the caller must leave. A new flight
// begins with what the caller has just seen of the entry.
func (en *Engine) join(b *Backend, w Want, key cache.Key, seen cache.Snapshot) (*flight, error) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.life.Err() != nil {
		return nil, ErrClosed
	}
	f, ok := en.flights[key]
	if !ok {
		f = &flight{engine: en, backend: b, want: w, key: key, latest: &news{changed: make(chan struct{})}}
		en.flights[key] = f
		en.flying.Add(1)
		var ctx context.Context
		ctx, f.cancel = context.WithCancel(en.life)
		en.running.Go(func() {
			defer f.cancel()
			f.run(ctx, seen)
			en.forget(f)
		})
	}
	f.waiters++
	return f, nil
}

// leave ends the flight with its last waiter.
func (en *Engine) leave(f *flight) {
	en.mu.Lock()
	defer en.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.cancel()
		en.strike(f)
	}
}

// forget lets the next client begin a flight of its own.
func (en *Engine) forget(f *flight) {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.strike(f)
}

// strike takes a flight off the list. The caller holds the lock.
func (en *Engine) strike(f *flight) {
	if en.flights[f.key] == f {
		delete(en.flights, f.key)
		en.flying.Add(-1)
	}
}

func (f *flight) news() *news {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

// tell wakes the waiters with news. A final outcome is told after the flight
// was forgotten, so that whoever asks from then on is not told old news.
func (f *flight) tell(s stage, v View, err error) {
	if s == final {
		f.engine.forget(f)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.latest.changed)
	f.latest = &news{stage: s, view: v, err: err, changed: make(chan struct{})}
}

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
		f.foreseen = 0
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
		if f.await(ctx, changed, pause) != nil {
			break
		}
	}
	f.tell(final, f.news().view, ErrClosed) // nobody waits, or the process stops
}

// overtaken is called when a purge was found to have happened since storage was
// looked at, for the n-th time in a row, and returns how long to wait before the
// next look. If the purge never gets to its tombstone, it has died halfway: then
// its tombstone is written here.
func (f *flight) overtaken(ctx context.Context, n int) time.Duration {
	if n == maxStale/2 {
		if _, err := f.engine.bury(ctx, f.backend, f.want); err != nil && ctx.Err() == nil {
			f.engine.logger.Warn("a purge that died halfway could not be ended", zap.Error(err))
		}
	}
	return staleRetry
}

// step does what an entry asks for; view says where it comes from. It reports how long to wait, at most, for
// the entry to change, or that the outcome is final and told. The error is
// errStale.
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
			f.tell(settled, view, nil)
			return min(f.engine.timing.Poll, e.Failure.RetryAt.Sub(now)), false, nil
		case e.Pending() && !e.Lapsed(now):
			f.tell(settled, view, nil)
			f.keepReservation(ctx, at)
			return min(f.engine.timing.Poll, e.Until.Sub(now)), false, nil
		}
		began := f.engine.moment()
		next, found, err := f.advance(ctx, at)
		switch {
		case errors.Is(err, errStale):
			return 0, false, err
		case ctx.Err() != nil:
			return 0, false, nil //nolint:nilerr // nobody waits any more, as run notices
		case err != nil || found.Entry.State == cache.Present:
			f.tell(final, found, err)
			return 0, true, nil
		}
		at, view.began = next, began
	}
}

// errStale says that the object was purged since the look at storage began.
var errStale = errors.New("engine: purged meanwhile")

// await waits for a change that was not foreseen, but no longer than pause. The
// look that follows is at all changes that were told of.
func (f *flight) await(ctx context.Context, changed <-chan struct{}, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case <-changed:
			waiting = f.foreseen > 0
			f.foreseen--
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
