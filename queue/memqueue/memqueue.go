package memqueue

import (
	"container/heap"
	"container/list"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror/queue"
)

// Options of a Queue. Each zero value stands for the default.
type Options struct {
	Capacity     int           // messages, those in flight included; 50,000
	Visibility   time.Duration // how long a receive hides a message; 60 s
	MaxReceives  int           // a message received more often is unfit; 5
	WaitTime     time.Duration // after which a Receive returns without a message; 20 s
	DeadCapacity int           // dead letters that are kept; 1,000
	Logger       *zap.Logger   // none
}

func (o Options) withDefaults() Options {
	defaultTo(&o.Capacity, 50_000)
	defaultTo(&o.Visibility, 60*time.Second)
	defaultTo(&o.MaxReceives, 5)
	defaultTo(&o.WaitTime, 20*time.Second)
	defaultTo(&o.DeadCapacity, 1_000)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

func defaultTo[T int | time.Duration](value *T, d T) {
	if *value == 0 {
		*value = d
	}
}

// A Queue holds the jobs of one backend in memory. Make one with New; it is safe
// for concurrent use.
type Queue struct {
	options Options

	mu       sync.Mutex
	ready    *list.List // of *message, received from the front
	waiting  waiting
	delayed  int                 // messages in waiting that were never received
	receipts map[string]*message // the newest receive of each message
	receives uint64              // numbers the receipts
	dead     deadLetters
	waiters  []chan struct{} // Receive calls that wait, each with room for one wake-up
}

var (
	_ queue.Queue   = (*Queue)(nil)
	_ queue.Counter = (*Queue)(nil)
)

// New returns an empty queue.
func New(o Options) *Queue {
	o = o.withDefaults()
	return &Queue{
		options: o, ready: list.New(), receipts: make(map[string]*message),
		dead: deadLetters{capacity: o.DeadCapacity},
	}
}

// Send implements queue.Queue.
func (q *Queue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memqueue: send: %w", err)
	}
	if delay > queue.MaxDelay {
		return fmt.Errorf("memqueue: send: a delay of %v is more than %v", delay, queue.MaxDelay)
	}
	return q.send(string(job.Encode()), delay)
}

func (q *Queue) send(body string, delay time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sendLocked(body, delay)
}

func (q *Queue) sendLocked(body string, delay time.Duration) error {
	if q.ready.Len()+len(q.waiting) >= q.options.Capacity {
		return fmt.Errorf("memqueue: send: %w", queue.ErrFull)
	}
	q.place(&message{body: body}, delay)
	q.wake()
	return nil
}

// Ack implements queue.Queue.
func (q *Queue) Ack(_ context.Context, d queue.Delivery) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m, found := q.receipts[d.Receipt]; found {
		q.remove(m)
	}
	return nil
}

// Extend implements queue.Queue.
func (q *Queue) Extend(_ context.Context, d queue.Delivery, visibility time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	m, found := q.receipts[d.Receipt]
	if !found {
		return fmt.Errorf("memqueue: extend: %w", queue.ErrGone)
	}
	q.unplace(m)
	q.place(m, visibility)
	q.wake()
	return nil
}

// Bury implements queue.Queue. A message that is gone is no error.
func (q *Queue) Bury(_ context.Context, d queue.Delivery, reason string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m, found := q.receipts[d.Receipt]; found {
		q.bury(m, reason)
	}
	return nil
}

// Count implements queue.Counter.
func (q *Queue) Count(context.Context) (queue.Counts, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.promote(time.Now())
	return queue.Counts{
		Ready:    q.ready.Len(),
		Delayed:  q.delayed,
		InFlight: len(q.waiting) - q.delayed,
		Dead:     len(q.dead.letters),
	}, nil
}

// place puts a message where it belongs.
func (q *Queue) place(m *message, wait time.Duration) {
	if wait <= 0 {
		m.element = q.ready.PushBack(m)
		return
	}
	m.due = time.Now().Add(wait)
	heap.Push(&q.waiting, m)
	if m.receives == 0 {
		q.delayed++
	}
}

// unplace takes a message out of where it is.
func (q *Queue) unplace(m *message) {
	if m.element != nil {
		q.ready.Remove(m.element)
		m.element = nil
		return
	}
	heap.Remove(&q.waiting, m.index)
	if m.receives == 0 {
		q.delayed--
	}
}

// promote makes the messages ready that are due.
func (q *Queue) promote(now time.Time) {
	for len(q.waiting) > 0 && !q.waiting[0].due.After(now) {
		m := q.waiting[0]
		q.unplace(m)
		m.element = q.ready.PushBack(m)
	}
}

func (q *Queue) remove(m *message) {
	q.unplace(m)
	delete(q.receipts, m.receipt)
}

func (q *Queue) bury(m *message, reason string) {
	q.remove(m)
	if dropped := q.dead.add(m, reason); dropped {
		q.options.Logger.Warn("dropped the oldest dead letter of a memory queue",
			zap.Int("capacity", q.options.DeadCapacity), zap.Uint64("dropped_total", q.dead.dropped))
	}
}

// receipt returns a handle that was never used before.
func (q *Queue) receipt() string {
	q.receives++
	return strconv.FormatUint(q.receives, 36)
}
