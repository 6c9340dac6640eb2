package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror/cache"
	"cloudmirror/queue"
)

// A flight follows one object in one backend for all clients of this process
// that wait for it. It ends when the outcome is final, or no client waits.
type flight struct {
	engine  *Engine
	backend *Backend
	want    Want
	key     cache.Key
	order   atomic.Pointer[queue.Order] // of the jobs that it sends; nil: a waiting client's

	cancel  context.CancelFunc
	waiters int // guarded by Engine.mu

	// Of its own goroutine:
	expected int    // how many of the next changes of the entry it knows, and need no read
	reserved string // the job of a reservation whose lease does not cover the wait in the queue yet

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
		f.order.Store(w.Order)
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
		en.drop(f)
	}
}

// forget takes a flight off the list: the next client begins one of its own.
func (en *Engine) forget(f *flight) {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.drop(f)
}

// drop is forget for a caller that holds the lock.
func (en *Engine) drop(f *flight) {
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
// was dropped, so that a client that asks from then on is not told old news.
func (f *flight) tell(s stage, v View, err error) {
	if s == final {
		f.engine.forget(f)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.latest.changed)
	f.latest = &news{stage: s, view: v, err: err, changed: make(chan struct{})}
}

// follow waits for news of the flight that is final or, at the deadline, for the first
// that is ensured. Thousands of callers may wait here at once, each with its stack: what
// it and its callers keep there counts.
func (f *flight) follow(ctx context.Context, p Patience) (*news, error) {
	timer := time.NewTimer(time.Until(p.Until))
	defer timer.Stop()
	end, enough := p.End, final
	for {
		news := f.news()
		if news.stage >= enough || news.stage == ensured && news.view.outlasts(p) {
			return news, news.err
		}
		select {
		case <-news.changed:
		case <-timer.C:
			enough = ensured
		case <-end:
			end, enough = nil, ensured
		case <-ctx.Done():
			return news, ctx.Err()
		}
	}
}
