package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// calls keeps the last failure among the calls of one kind that the process made of a
// dependency, until one succeeds. While there is none, a success costs one atomic load.
// It is safe for concurrent use.
type calls struct {
	verb string // such as write: what the dependency refuses
	// doubtAfter is after how long a failure is only a doubt, if no later call failed.
	// 0: it stands until a call succeeds.
	doubtAfter time.Duration

	failure atomic.Pointer[failedCall] // nil: the last call succeeded, or there was none
}

type failedCall struct {
	err error
	at  time.Time
}

// record keeps the outcome of a call. Errors that say nothing of the dependency change
// nothing: of callers that left, of origins, and answers such as storage.ErrExist.
func (c *calls) record(ctx context.Context, err error) {
	if err == nil {
		if c.failure.Load() != nil {
			c.failure.Store(nil)
		}
		return
	}
	if _, isOrigins := errors.AsType[*cloudmirror.Failure](err); isOrigins || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	for _, answer := range []error{storage.ErrExist, queue.ErrFull, queue.ErrGone} {
		if errors.Is(err, answer) {
			return
		}
	}
	c.failure.Store(&failedCall{err: err, at: time.Now()})
}

// down returns why such calls fail, or nil.
func (c *calls) down() error {
	f := c.failure.Load()
	if f == nil || c.doubtAfter > 0 && time.Since(f.at) > c.doubtAfter {
		return nil
	}
	return f.cause(c.verb)
}

// doubt returns what is known of a failure that is too old to stand; "" if there is
// none.
func (c *calls) doubt() string {
	if f := c.failure.Load(); f != nil && c.down() == nil {
		return fmt.Sprintf("unknown since %s, when the process could not %s", f.at.UTC().Format(time.RFC3339), cloudmirror.Clause(f.cause(c.verb)))
	}
	return ""
}

// cause returns the error without what the driver puts before it, and without the path
// of a file: both may name an object, which is a matter of its clients.
func (f *failedCall) cause(verb string) error {
	err := f.err
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		err = file.Err
	} else if link, ok := errors.AsType[*os.LinkError](err); ok {
		err = link.Err
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return &callError{verb: verb, err: err}
}

// A callError is why a call failed.
type callError struct {
	verb string // such as write
	err  error
}

func (e *callError) Error() string { return e.verb + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// Clause returns the verb and the cause in one clause: see cloudmirror.Clause.
func (e *callError) Clause() string { return e.verb + ": " + cloudmirror.Clause(e.err) }

// recordedCache is a cache that records the outcomes of changes.
type recordedCache struct {
	cache.Store
	writes calls
}

func recordCache(s cache.Store) *recordedCache {
	return &recordedCache{Store: s, writes: calls{verb: "write"}}
}

// Swap implements cache.Store. The driver bounds the time itself: a caller that left
// earlier says nothing of the cache.
func (c *recordedCache) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	at, swapped, err := c.Store.Swap(ctx, key, old, next)
	if err == nil || ctx.Err() == nil {
		c.writes.record(ctx, err)
	}
	return at, swapped, err
}

// Ping implements cache.Store. It writes as well.
func (c *recordedCache) Ping(ctx context.Context) error {
	err := c.Store.Ping(ctx)
	if err == nil {
		c.writes.record(ctx, nil)
	}
	return err
}

// recordedStorage is a storage that records the outcomes of changes.
type recordedStorage struct {
	storage.Provider
	writes, removals calls
}

func recordStorage(p storage.Provider) *recordedStorage {
	return &recordedStorage{Provider: p, writes: calls{verb: "write"}, removals: calls{verb: "remove"}}
}

// Put implements storage.Provider. A ctx that ended may have waited for the origin.
func (s *recordedStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	info, err := s.Provider.Put(ctx, key, body, o)
	if err == nil || ctx.Err() == nil {
		s.writes.record(ctx, err)
	}
	return info, err
}

// Delete implements storage.Provider.
func (s *recordedStorage) Delete(ctx context.Context, key string) error {
	err := s.Provider.Delete(ctx, key)
	s.removals.record(ctx, err)
	return err
}

// check reads, and writes and removes only while that failed the last time.
func (s *recordedStorage) check(ctx context.Context) error {
	if err := storage.Probe(ctx, s); err != nil {
		return err
	}
	if s.writes.failure.Load() != nil || s.removals.failure.Load() != nil {
		_ = storage.ProbeWriting(ctx, s) // s records the outcome
	}
	return nil
}

// queueDoubt is after how long the failure of a call of a queue is only a doubt. The
// process sends no job to try, and the next one may come after hours.
const queueDoubt = time.Minute

// recordedQueue is a queue that records the outcomes of calls.
type recordedQueue struct {
	driverQueue
	sends, receives, acks calls
}

func recordQueue(q driverQueue) *recordedQueue {
	of := func(verb string) calls { return calls{verb: verb, doubtAfter: queueDoubt} }
	return &recordedQueue{driverQueue: q, sends: of("send"), receives: of("receive"), acks: of("acknowledge")}
}

// Send implements queue.Queue.
func (q *recordedQueue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	err := q.driverQueue.Send(ctx, job, delay)
	q.sends.record(ctx, err)
	return err
}

// Receive implements queue.Queue.
func (q *recordedQueue) Receive(ctx context.Context, limit int) ([]queue.Delivery, error) {
	deliveries, err := q.driverQueue.Receive(ctx, limit)
	q.receives.record(ctx, err)
	return deliveries, err
}

// Ack implements queue.Queue.
func (q *recordedQueue) Ack(ctx context.Context, d queue.Delivery) error {
	err := q.driverQueue.Ack(ctx, d)
	q.acks.record(ctx, err)
	return err
}
