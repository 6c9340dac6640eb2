package sqsqueue

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxInFlight bounds the requests of one batcher.
	maxInFlight = 8
	// sendGatherTime and ackGatherTime are the longest that a call waits for others,
	// if there is room for another request. Clients wait for what is sent, and
	// not for an acknowledgement.
	sendGatherTime = 20 * time.Millisecond
	ackGatherTime  = 100 * time.Millisecond
)

// A batcher makes few requests of many calls. A call goes out at once if none of
// others is near: no request is in flight, and none of several calls was begun
// within gatherTime. Otherwise it goes with the others that come until there are
// enough for a full batch, or gatherTime is over. So calls after each other wait
// for nothing, and a crowd's batches are full.
//
// Its size needs no bound of its own: each call has a caller that waits.
type batcher[T any] struct {
	// request sends items. It sets the errors of single items, or returns one
	// for all.
	request func(ctx context.Context, items []T, errs []error) error
	bytesOf func(T) int
	// gatherTime is the longest that a call waits for others, if there is room for
	// another request.
	gatherTime time.Duration

	ctx     context.Context // of the requests, which outlive single callers
	cancel  context.CancelFunc
	running sync.WaitGroup // requests, and the timer

	mu       sync.Mutex
	closed   bool
	pending  []*call[T]
	inFlight int
	joinedAt time.Time   // when the last request of several calls was begun
	timer    *time.Timer // of gatherTime; nil: not running
}

type call[T any] struct {
	item T
	done chan error // with room for the result, for a caller that left
}

func newBatcher[T any](request func(context.Context, []T, []error) error, bytesOf func(T) int, gatherTime time.Duration) *batcher[T] {
	ctx, cancel := context.WithCancel(context.Background())
	return &batcher[T]{request: request, bytesOf: bytesOf, gatherTime: gatherTime, ctx: ctx, cancel: cancel}
}

// do returns what came of item. If ctx ends first, an item that is not yet on
// its way is forgotten; what becomes of another one is not known.
func (b *batcher[T]) do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call[T]{item: item, done: make(chan error, 1)}
	if err := b.add(c); err != nil {
		return err
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		b.forget(c)
		return ctx.Err()
	}
}

func (b *batcher[T]) add(c *call[T]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.pending = append(b.pending, c)
	b.dispatch(false)
	return nil
}

func (b *batcher[T]) forget(c *call[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.pending, c); i >= 0 {
		b.pending = slices.Delete(b.pending, i, i+1)
	}
}

// dispatch starts the requests that are due: with now, those that gather, too, as
// they have waited long enough. The caller holds the lock.
func (b *batcher[T]) dispatch(now bool) {
	for len(b.pending) > 0 && b.inFlight < maxInFlight {
		isCrowd := b.inFlight > 0 || time.Since(b.joinedAt) < b.gatherTime
		if !now && isCrowd && len(b.pending) < maxBatch {
			b.dispatchLater()
			return
		}
		b.stopTimer() // what is left came last
		batch := b.nextBatch()
		if len(batch) > 1 {
			b.joinedAt = time.Now()
		}
		b.inFlight++
		now = false
		b.running.Go(func() { b.run(batch) })
	}
}

func (b *batcher[T]) dispatchLater() {
	if b.timer != nil {
		return
	}
	b.running.Add(1)
	b.timer = time.AfterFunc(b.gatherTime, func() {
		defer b.running.Done()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timer = nil
		b.dispatch(true)
	})
}

// stopTimer stops the timer unless it fires just now. The caller holds the lock.
func (b *batcher[T]) stopTimer() {
	if b.timer != nil && b.timer.Stop() {
		b.running.Done()
		b.timer = nil
	}
}

// nextBatch takes as many calls as fit into a request.
func (b *batcher[T]) nextBatch() []*call[T] {
	n, bytes := 0, 0
	for n < min(len(b.pending), maxBatch) {
		bytes += b.bytesOf(b.pending[n].item)
		if n > 0 && bytes > MaxBatchBytes {
			break
		}
		n++
	}
	batch := slices.Clone(b.pending[:n])
	b.pending = slices.Delete(b.pending, 0, n)
	return batch
}

// run makes one request and tells its callers.
func (b *batcher[T]) run(batch []*call[T]) {
	items := make([]T, len(batch))
	for i, c := range batch {
		items[i] = c.item
	}
	errs := make([]error, len(batch))
	ctx, cancel := WithTimeout(b.ctx, RequestTimeout)
	defer cancel()
	if err := b.request(ctx, items, errs); err != nil {
		err = Cause(ctx, err)
		for i := range errs {
			errs[i] = err
		}
	}
	for i, c := range batch {
		c.done <- errs[i]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	b.dispatch(b.timer == nil) // without a timer they have waited for room
}

// close ends the requests in flight and waits for them.
func (b *batcher[T]) close() {
	b.mu.Lock()
	b.closed = true
	for _, c := range b.pending {
		c.done <- ErrClosed
	}
	b.pending = nil
	b.stopTimer()
	b.mu.Unlock()
	b.cancel()
	b.running.Wait()
}
