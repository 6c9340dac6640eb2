package copier

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"cloudmirror"
)

// Bounds of what waits for one host, and of how long a job rests that may not wait.
const (
	waitPerTurn   = 8                     // jobs that wait for each copy that may run, or more:
	waitTime      = 20 * time.Second      // as many as get their turns while their clients still wait
	minDeferral   = time.Second           // what SQS can tell apart
	maxDeferral   = 5 * time.Minute       // the estimate may be wrong: look again
	assumedPace   = 10 * time.Millisecond // of a host that ended few copies yet; too early is better than too late
	provenTurns   = 64                    // how few: the first ones may have been slow by chance
	paceSmoothing = 8                     // the last so many turns make the pace
)

// errCrowded says that too many jobs wait for a turn.
var errCrowded = errors.New("copier: too many jobs wait for their host")

// A host is how one scheme, host and port fares in this process: which copies ask
// it for something, how it answered, and whether it is paused. It is safe for
// concurrent use.
type host struct {
	origin string              // as cloudmirror.Object.Origin has it
	users  int                 // tasks that hold it; guarded by hosts.mu
	limit  int                 // copies at a time
	turns  *semaphore.Weighted // nil: as many as there are slots
	queue  *queueBound         // of all hosts
	logger *zap.Logger

	mu      sync.Mutex
	health  health
	waiting int
	ended   int           // turns, as far as they count
	pace    time.Duration // how long a turn takes; 0: none has ended
	freed   time.Time     // when a turn ended last, or a copy was refused one first
	promise time.Time     // when the job that was deferred last gets its turn, as it seems
}

// A queueBound bounds the jobs that wait for the turns of all hosts together.
type queueBound struct {
	mu    sync.Mutex
	limit int
	taken int
}

func (q *queueBound) enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken >= q.limit {
		return false
	}
	q.taken++
	return true
}

func (q *queueBound) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
}

func (q *queueBound) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken
}

// takeTurn waits until one more copy may run, first come, first served. The error
// is errCrowded at once if too many wait already, or ctx's. The caller calls
// endTurn if there is none.
func (h *host) takeTurn(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if h.tryTurn() {
		return nil
	}
	if !h.enqueue() {
		return errCrowded
	}
	defer h.dequeue()
	return h.turns.Acquire(ctx, 1)
}

// tryTurn reports whether one more copy may run now. If so, the caller calls
// endTurn.
func (h *host) tryTurn() bool { return h.turns == nil || h.turns.TryAcquire(1) }

func (h *host) enqueue() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting >= h.maxWaiting() || !h.queue.enter() {
		return false
	}
	h.waiting++
	return true
}

// maxWaiting returns how many jobs may wait for the host. Those of a fast one get
// their turns sooner than any message that is put back. One host may have half of
// all that may wait. The caller holds the lock.
func (h *host) maxWaiting() int {
	perTurn := waitPerTurn
	switch {
	case h.ended == 0: // it may never end a copy
	case h.ended < provenTurns:
		perTurn = int(waitTime / assumedPace)
	default:
		perTurn = max(perTurn, int(waitTime/max(h.pace, 1)))
	}
	return min(perTurn*h.limit, max(h.queue.limit/2, waitPerTurn*h.limit))
}

func (h *host) dequeue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	h.queue.leave()
}

// endTurn gives a turn back that began at a time.
func (h *host) endTurn(began time.Time) {
	if h.turns == nil {
		return
	}
	h.mu.Lock()
	h.freed = time.Now()
	took := h.freed.Sub(began)
	if h.pace == 0 {
		h.pace = took
	}
	h.pace += (took - h.pace) / paceSmoothing
	h.ended = min(h.ended+1, provenTurns)
	h.mu.Unlock()
	h.turns.Release(1)
}

// giveBackTurn ends a turn that says nothing of how long copies take.
func (h *host) giveBackTurn() {
	if h.turns == nil {
		return
	}
	h.mu.Lock()
	h.freed = time.Now()
	h.mu.Unlock()
	h.turns.Release(1)
}

// nextDelivery returns when a job that may not wait is to be delivered again. A
// delay cannot be taken back, and a client may wait: while few turns have ended,
// they are taken to have been slow by chance.
func (h *host) nextDelivery() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended < provenTurns {
		return h.nextAt(assumedPace)
	}
	return h.nextAt(h.pace)
}

// nextTurn is nextDelivery for a copy whose coming too early costs a request.
func (h *host) nextTurn() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nextAt(max(cmp.Or(h.pace, assumedPace), h.stuck()))
}

// nextAt returns when to come back, behind those that wait and those that were
// told so before, as fast as the host's turns end, and ever later while none ends.
// The caller holds the lock.
func (h *host) nextAt(pace time.Duration) time.Duration {
	now, step := time.Now(), pace/time.Duration(h.limit)
	if soonest := now.Add(time.Duration(h.waiting) * step); h.promise.Before(soonest) {
		h.promise = soonest
	}
	if h.promise = h.promise.Add(step); h.promise.After(now.Add(maxDeferral)) {
		h.promise = now.Add(maxDeferral)
	}
	return later(max(h.promise.Sub(now), min(h.stuck()/2, maxDeferral), minDeferral))
}

// stuck returns for how long no turn has ended while copies were refused one.
// Strangers choose how long the copies of their host take. The caller holds the lock.
func (h *host) stuck() time.Duration {
	if h.freed.IsZero() {
		h.freed = time.Now()
	}
	return time.Since(h.freed)
}

// later returns a delay, up to an eighth longer at random.
func later(d time.Duration) time.Duration {
	return d + rand.N(d/8+1) //nolint:gosec // jitter needs no secrecy
}

// admit returns a try of an object, or nil if the host is paused: then the job
// rests for the time that is returned. Tries are those that failed before. The try
// must be settled.
func (h *host) admit(o cloudmirror.Object, tries int) (*try, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if again, ok := h.health.admit(time.Now(), o.Hash(), tries); !ok {
		return nil, again
	}
	return &try{host: h, object: o}, 0
}

// isPaused reports whether the host is asked for trials only.
func (h *host) isPaused() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.health.isPaused(time.Now())
}
