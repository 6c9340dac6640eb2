package copier

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/queue"
)

// Bounds of what waits for one host, and of how long a job rests that may not wait.
const (
	waitPerTurn   = 8                      // jobs that wait for each copy that may run, or more:
	waitTime      = 20 * time.Second       // as many as get their turns while their clients still wait
	minDeferral   = time.Second            // what SQS can tell apart
	maxDeferral   = 5 * time.Minute        // the estimate may be wrong: look again
	maxLead       = 4 * time.Second        // before the next deferred job comes back; 5 s with what later and SQS add
	maxStep       = 100 * time.Millisecond // between jobs that come back; a flood of 500 is deferred for 50 s
	assumedPace   = 10 * time.Millisecond  // of a host that ended few copies yet; too early is better than too late
	provenTurns   = 64                     // with fewer, the pace may be that of a slow first few
	paceSmoothing = 8                      // over how many turns the pace is averaged
)

// A crowdedError says that too many jobs wait for a turn of a host.
type crowdedError struct{ host *host }

func (e *crowdedError) Error() string { return "copier: too many jobs wait for " + e.host.origin }

// A host is how one scheme, host and port fares in this process: which copies ask
// it for something, how it answered, and whether it is paused. It is safe for
// concurrent use.
type host struct {
	origin string     // as cloudmirror.Object.Origin has it
	users  int        // tasks that hold it; guarded by hosts.mu
	limit  int        // copies at a time
	turns  *turns     // nil: as many as there are slots
	queue  *waitBound // of all hosts
	logger *zap.Logger

	isBackground bool // it is hosts.background

	mu      sync.Mutex
	health  health
	waiting int           // clients' jobs that may be small; of hosts.background all
	long    int           // clients' jobs that wait for the turn of a long copy
	behind  int           // jobs for which no client waits
	ended   int           // turns, as far as they count
	pace    time.Duration // how long a turn takes; 0: none has ended
	freed   time.Time     // when a turn ended last, or a copy was refused one first
	promise time.Time     // when the job of the host that was deferred last comes back
	hopTurn time.Time     // when the job of another host that was deferred last may get its turn here
}

// A waitBound bounds the jobs that wait for the turns of all hosts together.
type waitBound struct {
	mu    sync.Mutex
	limit int
	taken int
}

// enter reports whether one more job may wait. Those for which no client waits may be
// half of all.
func (q *waitBound) enter(p queue.Priority) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken >= q.limit || p != queue.Waiting && q.taken >= q.limit/2 {
		return false
	}
	q.taken++
	return true
}

func (q *waitBound) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken--
}

func (q *waitBound) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken
}

// takeTurn waits until one more copy may run, by priority, then first come, first
// served. The number is that of the job in the host's line; 0: it has not waited there
// before. The error is a *crowdedError at once if too many wait already, or ctx's. The
// caller ends the turn if there is none.
func (h *host) takeTurn(ctx context.Context, n need, number *uint64) (*turn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if u := h.tryTurn(n.isLong); u != nil {
		return u, nil
	}
	if !h.enqueue(n, *number > 0) {
		return nil, &crowdedError{host: h}
	}
	defer h.dequeue(n)
	if err := h.turns.wait(ctx, n, number); err != nil {
		return nil, err
	}
	return &turn{host: h, began: time.Now(), isLong: n.isLong}, nil
}

// tryTurn returns a turn if one more copy may run now, and nil otherwise. The caller
// ends it.
func (h *host) tryTurn(isLong bool) *turn {
	if h.turns != nil && !h.turns.try(isLong) {
		return nil
	}
	return &turn{host: h, began: time.Now(), isLong: isLong}
}

// tryConnection reports whether a copy that runs may have one more connection now,
// which is a turn of a long copy. If so, the caller calls endConnection.
func (h *host) tryConnection() bool { return h.turns == nil || h.turns.try(true) }

func (h *host) endConnection() {
	if h.turns == nil {
		return
	}
	h.freeTurn()
	h.turns.release(true)
}

// enqueue reports whether one more job may wait. One that has waited before and
// comes back is bounded by what may wait for all hosts only: it would lose its place.
func (h *host) enqueue(n need, isBack bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	waits, limit := h.waits(n), h.maxWaiting()
	if waits != &h.waiting {
		limit = waitPerTurn * h.limit
	}
	if *waits >= limit && !isBack || !h.queue.enter(n.priority) {
		return false
	}
	*waits++
	return true
}

// waits returns the number of jobs like one that wait. Those that are long, and those
// for which no client waits, are bounded apart: they keep no others from waiting.
func (h *host) waits(n need) *int {
	switch {
	case h.isBackground:
		return &h.waiting
	case n.priority != queue.Waiting:
		return &h.behind
	case n.isLong:
		return &h.long
	}
	return &h.waiting
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

func (h *host) dequeue(n need) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*h.waits(n)--
	h.queue.leave()
}

// freeTurn notes that a turn ends.
func (h *host) freeTurn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.freed = time.Now()
}

// measure notes how long a turn took that was kept to the end of its copy.
func (h *host) measure(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pace == 0 {
		h.pace = took
	}
	h.pace += (took - h.pace) / paceSmoothing
	h.ended = min(h.ended+1, provenTurns)
}

// nextDelivery returns when a job that may not wait is to be delivered again: as
// fast as the host's turns end, and at least every 100 ms one of the jobs that are
// deferred, but the next one after 4 s at most. So a turn that becomes free against
// the estimate is soon used, and few jobs come back within 5 s; a thousand jobs cost
// no more than 10 messages a second however long the turns take. While few turns have
// ended, they are taken to have been slow by chance.
func (h *host) nextDelivery() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	step := assumedPace
	if h.ended == provenTurns {
		step = h.pace
	}
	step /= time.Duration(h.limit)
	lead := min(time.Duration(h.waiting)*step, maxLead)
	return later(max(promiseNext(&h.promise, lead, min(step, maxStep)), minDeferral))
}

// nextTurn is nextDelivery for a job of another host that redirects here, whose
// coming too early costs a request there: ever later while no turn ends.
func (h *host) nextTurn() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	step := max(cmp.Or(h.pace, assumedPace), h.stuck()) / time.Duration(h.limit)
	rest := promiseNext(&h.hopTurn, time.Duration(h.waiting)*step, step)
	return later(max(rest, min(h.stuck()/2, maxDeferral), minDeferral))
}

// promiseNext returns in how long a job is to come back: a step behind the one that
// was told so before, and behind the lead.
func promiseNext(promise *time.Time, lead, step time.Duration) time.Duration {
	now := time.Now()
	if soonest := now.Add(lead); promise.Before(soonest) {
		*promise = soonest
	}
	if *promise = promise.Add(step); promise.After(now.Add(maxDeferral)) {
		*promise = now.Add(maxDeferral)
	}
	return promise.Sub(now)
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

// admit returns the use of the host for an object, or nil if the host is paused: then
// the job rests for the time that is returned. Tries are those that failed before. The
// caller records the outcome of the use.
func (h *host) admit(o cloudmirror.Object, tries int) (*hostUse, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if again, ok := h.health.admit(time.Now(), o.Hash(), tries); !ok {
		return nil, again
	}
	return &hostUse{host: h, object: o}, 0
}

// isPaused reports whether the host is asked for probes only.
func (h *host) isPaused() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.health.isPaused(time.Now())
}
