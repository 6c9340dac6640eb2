package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/queue"
)

// breakerFailures is how many calls of a dependency fail in a row before its
// breaker opens.
const breakerFailures = 5

// breakerMemory is how long failures count that did not open the breaker.
const breakerMemory = 30 * time.Second

// An openError says that a dependency was not asked because it failed lately. The
// last failure is told and not wrapped: this call did not end by it.
type openError struct{ last error }

func (e openError) Error() string {
	return fmt.Sprintf("engine: not asked, because %d calls in a row failed, the last one by: %v", breakerFailures, e.last)
}

func (e openError) Clause() string {
	return fmt.Sprintf("not asked, because %d calls in a row failed: %s", breakerFailures, cloudmirror.Clause(e.last))
}

// A breaker keeps requests from waiting for a dependency that is down: after
// several failures in a row it opens, and calls fail at once; after a while it
// lets single calls through, and closes with the first that succeeds. It is for
// calls that a client waits for and that may fail. Calls that must get through, such
// as giving a claim back, or that are repeated anyway, go around it.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	// calm says that the breaker is closed and knows of no failure: then a call
	// that succeeds costs nothing more than this.
	calm atomic.Bool
	last atomic.Pointer[error] // of the last call that failed; nil: none has
}

// newBreaker returns the closed breaker of a dependency: the cache, or the queue
// or storage of a backend.
func (en *Engine) newBreaker(dependency string, id cloudmirror.BackendID) *breaker {
	labels := prometheus.Labels{"dependency": dependency, "service": id.Service, "region": id.Region}
	gauge := en.breakers.With(labels)
	gauge.Set(0)
	logger := en.logger.With(zap.String("dependency", dependency))
	if id != (cloudmirror.BackendID{}) {
		logger = logger.With(zap.Stringer("backend", id))
	}
	b := new(breaker)
	b.calm.Store(true)
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        dependency,
		MaxRequests: 1,
		Interval:    breakerMemory,
		Timeout:     en.timing.Breaker,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errLeft) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				gauge.Set(1)
				logger.Warn("a dependency fails and is not asked for a while", zap.Int("failures", breakerFailures), zap.Error(b.lastFailure()))
			case to == gobreaker.StateClosed:
				gauge.Set(0)
				logger.Info("a dependency answers and is asked again")
			}
		},
	})
	return b
}

// errLeft stands for calls that say nothing of the dependency: their callers went
// away.
var errLeft = errors.New("engine: the caller left")

// judge returns what the error of a call says of the dependency: nil for
// success.
func judge(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, queue.ErrFull):
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return errLeft
	}
	return err
}

// lastFailure returns the error of the last call that failed, or nil.
func (b *breaker) lastFailure() error {
	if last := b.last.Load(); last != nil {
		return *last
	}
	return nil
}

// note counts the error of a call that was made while all was calm.
func (b *breaker) note(ctx context.Context, err error) {
	if err = judge(ctx, err); err == nil || errors.Is(err, errLeft) {
		return
	}
	b.calm.Store(false)
	failure := err
	b.last.Store(&failure)
	_, _ = b.circuit.Execute(func() (struct{}, error) { return struct{}{}, err })
}

// do makes a call unless the breaker is open. Ctx is what the caller gave, without
// the call's own deadline.
func (b *breaker) do(ctx context.Context, call func() error) error {
	if b.calm.Load() {
		err := call()
		if err != nil {
			b.note(ctx, err)
		}
		return err
	}
	var result error
	_, err := b.circuit.Execute(func() (struct{}, error) {
		result = call()
		verdict := judge(ctx, result)
		if verdict != nil && !errors.Is(verdict, errLeft) {
			b.last.Store(&verdict)
		}
		return struct{}{}, verdict
	})
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return openError{b.lastFailure()}
	case err == nil && b.circuit.State() == gobreaker.StateClosed:
		b.calm.Store(true)
	}
	return result
}

// guardedCache is the cache behind its breaker.
type guardedCache struct {
	cache.Store
	breaker *breaker
}

func (c *guardedCache) Get(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	return c.tryGet(ctx, key)
}

// tryGet is for all but the reads of hits, which cannot afford its variables on the
// heap.
func (c *guardedCache) tryGet(ctx context.Context, key cache.Key) (at cache.Snapshot, err error) {
	err = c.breaker.do(ctx, func() (err error) {
		at, err = c.Store.Get(ctx, key)
		return err
	})
	return at, err
}

func (c *guardedCache) GetAll(ctx context.Context, keys []cache.Key) (all []cache.Snapshot, err error) {
	err = c.breaker.do(ctx, func() (err error) {
		all, err = c.Store.GetAll(ctx, keys)
		return err
	})
	return all, err
}

func (c *guardedCache) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (at cache.Snapshot, swapped bool, err error) {
	err = c.breaker.do(ctx, func() (err error) {
		at, swapped, err = c.Store.Swap(ctx, key, old, next)
		return err
	})
	return at, swapped, err
}

// newBreakerGauge makes the metric of all breakers of a process.
func newBreakerGauge(r prometheus.Registerer) *prometheus.GaugeVec {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cloudmirror_breaker_open",
		Help: "1 while a dependency (cache, queue, storage) is not asked because it failed several times in a row. Service and region are empty for the cache.",
	}, []string{"dependency", "service", "region"})
	if r != nil {
		r.MustRegister(gauge)
	}
	return gauge
}
