package copier

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
)

// Bounds of what waits for one host, and of how long a job rests for which there
// was no room.
const (
	roomPerTurn   = 8                     // jobs in the waiting room for each copy that may run, or more:
	roomTime      = 20 * time.Second      // as many as get their turns while their clients still wait
	minDeferral   = time.Second           // what SQS can tell apart
	maxDeferral   = 5 * time.Minute       // the estimate may be wrong: look again
	assumedPace   = 10 * time.Millisecond // of a host that ended few copies yet; too early is better than too late
	provenTurns   = 64                    // how few: the first ones may have been slow by chance
	paceSmoothing = 8                     // the last so many turns make the pace
)

// probeWait is how long others rest while one copy finds out whether a host is
// well again.
const probeWait = 5 * time.Second

// errCrowded says that there is no room to wait for a turn.
var errCrowded = errors.New("copier: too many jobs wait for their host")

// A host is how one origin host fares in this process: which copies ask it for
// something, how it answered, and until when it is left alone. It is safe for
// concurrent use.
type host struct {
	name   string
	users  int                 // tasks that hold it; guarded by hosts.mu
	limit  int                 // copies at a time
	turns  *semaphore.Weighted // nil: as many as there are slots
	room   *room
	logger *zap.Logger

	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	openFor time.Duration

	mu      sync.Mutex
	waiting int
	ended   int           // turns, as far as they count
	pace    time.Duration // how long a turn takes; 0: none has ended
	promise time.Time     // when the job that was deferred last gets its turn, as it seems
	streak  []string      // hashes of the objects whose failures in a row were counted
	rest    time.Time     // until when the origin asked to be left alone
	open    time.Time     // until when the breaker is open, if it is
}

// A room bounds the jobs that wait for the turns of all hosts together.
type room struct {
	mu    sync.Mutex
	limit int
	taken int
}

func (r *room) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken >= r.limit {
		return false
	}
	r.taken++
	return true
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
}

func (r *room) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken
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
	if !h.sitDown() {
		return errCrowded
	}
	defer h.standUp()
	return h.turns.Acquire(ctx, 1)
}

// tryTurn reports whether one more copy may run now. If so, the caller calls
// endTurn.
func (h *host) tryTurn() bool { return h.turns == nil || h.turns.TryAcquire(1) }

func (h *host) sitDown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting >= h.seats() || !h.room.enter() {
		return false
	}
	h.waiting++
	return true
}

// seats returns how many jobs may wait for the host. Those of a fast one get their
// turns sooner than any message that is put back. One host may take half of the
// room. The caller holds the lock.
func (h *host) seats() int {
	perTurn := roomPerTurn
	switch {
	case h.ended == 0: // it may never end a copy
	case h.ended < provenTurns:
		perTurn = int(roomTime / assumedPace)
	default:
		perTurn = max(perTurn, int(roomTime/max(h.pace, 1)))
	}
	return min(perTurn*h.limit, max(h.room.limit/2, roomPerTurn*h.limit))
}

func (h *host) standUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	h.room.leave()
}

// endTurn gives a turn back that began at a time.
func (h *host) endTurn(began time.Time) {
	if h.turns == nil {
		return
	}
	h.mu.Lock()
	took := time.Since(began)
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
	if h.turns != nil {
		h.turns.Release(1)
	}
}

// nextDelivery returns when a job that found no room is to be delivered again. A
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
	return h.nextAt(cmp.Or(h.pace, assumedPace))
}

// nextAt returns when to come back, behind those that wait and those that were
// told so before, as fast as the host's turns end. The caller holds the lock.
func (h *host) nextAt(pace time.Duration) time.Duration {
	now, step := time.Now(), pace/time.Duration(h.limit)
	if soonest := now.Add(time.Duration(h.waiting) * step); h.promise.Before(soonest) {
		h.promise = soonest
	}
	if h.promise = h.promise.Add(step); h.promise.After(now.Add(maxDeferral)) {
		h.promise = now.Add(maxDeferral)
	}
	return later(max(h.promise.Sub(now), minDeferral))
}

// later returns a delay, up to an eighth longer at random.
func later(d time.Duration) time.Duration {
	return d + rand.N(d/8+1) //nolint:gosec // jitter needs no secrecy
}

// admit asks for a try. It is nil if the host is to be left alone; then the job
// rests for the time that is returned. The try must be settled.
func (h *host) admit() (*try, time.Duration) {
	h.mu.Lock()
	rest := time.Until(h.rest)
	h.mu.Unlock()
	if rest > 0 {
		return nil, later(rest)
	}
	done, err := h.breaker.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		h.mu.Lock()
		defer h.mu.Unlock()
		return nil, later(max(time.Until(h.open), time.Second))
	case err != nil: // somebody else probes
		return nil, later(probeWait)
	}
	return &try{host: h, done: done}, 0
}

// leaveAlone keeps everybody from the host for a while, as it asked.
func (h *host) leaveAlone(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); until.After(h.rest) {
		h.rest = until
		h.logger.Warn("an origin host asked to be left alone", zap.String("host", h.name), zap.Duration("for", d))
	}
}

// isPaused reports whether the host is left alone now.
func (h *host) isPaused() bool {
	h.mu.Lock()
	rest := time.Until(h.rest)
	h.mu.Unlock()
	return rest > 0 || h.breaker.State() == gobreaker.StateOpen
}

// changed notes a change of the breaker's state. The breaker calls it under its
// own lock.
func (h *host) changed(_ string, _, to gobreaker.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch to {
	case gobreaker.StateOpen:
		h.open = time.Now().Add(h.openFor)
		h.logger.Warn("an origin host is in trouble, and is left alone", zap.String("host", h.name), zap.Duration("for", h.openFor))
	case gobreaker.StateHalfOpen:
		h.logger.Info("an origin host is tried again", zap.String("host", h.name))
	case gobreaker.StateClosed:
		h.streak = nil
		h.logger.Info("an origin host is well again", zap.String("host", h.name))
	}
}
