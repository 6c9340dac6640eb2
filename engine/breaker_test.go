package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// observe gives the world an engine whose metrics and log can be read.
func (w *world) observe() (*prometheus.Registry, *observer.ObservedLogs) {
	registry := prometheus.NewRegistry()
	core, logs := observer.New(zap.InfoLevel)
	w.engine = engine.New(engine.Options{
		Cache: w.cache, Logger: zap.New(core), Registerer: registry,
		Backends: []engine.Backend{{ID: backendID, Storage: w.storage, Queue: w.queue, TTL: 24 * time.Hour, NegativeTTL: 30 * time.Second}},
	})
	w.t.Cleanup(w.engine.Close)
	return registry, logs
}

func (w *world) checkBreaker(registry *prometheus.Registry, labels, want string) {
	w.t.Helper()
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP cloudmirror_breaker_open 1 while a dependency (cache, queue, storage) is not asked because it failed several times in a row. Service and region are empty for the cache.
# TYPE cloudmirror_breaker_open gauge
cloudmirror_breaker_open{dependency="cache",region="",service=""} `+want[0:1]+`
cloudmirror_breaker_open{dependency="queue",region="eu-west-1",service="s3"} `+want[1:2]+`
cloudmirror_breaker_open{dependency="storage",region="eu-west-1",service="s3"} `+want[2:3]+`
`), "cloudmirror_breaker_open"); err != nil {
		w.t.Errorf("%s: %v", labels, err)
	}
}

// slowStorage answers nothing until its caller gives up.
type slowStorage struct{ storage.Provider }

func (s slowStorage) Stat(ctx context.Context, _ string) (storage.Info, error) {
	<-ctx.Done()
	return storage.Info{}, ctx.Err()
}

func TestADeadCacheIsNotAskedByEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		registry, logs := w.observe()
		w.makePresent()
		w.cache.broken.Store(true)
		ask := func(n int) (asked int64) {
			before := w.cache.commands.Load()
			for range n {
				if view, err := w.engine.Wait(t.Context(), w.want, patient); err != nil || view.Source != engine.FromStorage {
					t.Fatalf("from %v, error %v, want the copy, from storage", view.Source, err)
				}
			}
			return w.cache.commands.Load() - before
		}
		if asked := ask(100); asked != 5 {
			t.Errorf("100 requests asked the cache %d times, want 5", asked)
		}
		lines := logs.FilterMessage("a dependency fails and is not asked for a while").All()
		if len(lines) != 1 || lines[0].ContextMap()["dependency"] != "cache" || lines[0].ContextMap()["error"] != errBroken.Error() {
			t.Errorf("the log does not say what fails, and by which error: %v", lines)
		}
		w.checkBreaker(registry, "when it is down", "100")
		for range 3 {
			time.Sleep(time.Second + time.Millisecond)
			if asked := ask(100); asked != 1 {
				t.Errorf("100 requests a second later asked it %d times, want once", asked)
			}
		}
		w.cache.broken.Store(false)
		time.Sleep(time.Second + time.Millisecond)
		for range 2 {
			if view, err := w.engine.Wait(t.Context(), w.want, patient); err != nil || view.Source != engine.FromCache {
				t.Fatalf("when it is back: from %v, error %v, want the cache", view.Source, err)
			}
		}
		w.checkBreaker(registry, "when it is back", "000")
		if lines := logs.FilterField(zap.String("dependency", "cache")).All(); len(lines) != 2 {
			t.Errorf("%d log lines, want one for each change: %v", len(lines), lines)
		}
	})
}

func TestAFrozenStorageIsNotWaitedForByEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.storage.Provider = slowStorage{w.storage.Provider}
		registry, _ := w.observe()
		began := time.Now()
		for range 100 {
			if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrUnavailable) {
				t.Fatalf("error %v, want ErrUnavailable", err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("100 requests waited %v, want 5 times 2s", took)
		}
		w.checkBreaker(registry, "when it is frozen", "001")
	})
}

func TestADeadQueueLeavesNothingPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		registry, _ := w.observe()
		w.queue.broken.Store(true)
		for range 20 {
			if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrUnavailable) {
				t.Fatalf("error %v, want ErrUnavailable", err)
			}
			if state := w.peek().Entry.State; state != cache.Absent {
				t.Fatalf("the entry is %v without a job, want absent", state)
			}
		}
		w.checkBreaker(registry, "when it is down", "010")
		w.queue.broken.Store(false)
		time.Sleep(time.Second + time.Millisecond)
		w.makePresent()
	})
}

// trippingQueue fails, and has the cache's breaker opened meanwhile.
type trippingQueue struct {
	queue.Queue
	trip func()
}

func (q trippingQueue) Send(context.Context, queue.Job, time.Duration) error {
	q.trip()
	return errBroken
}

func TestAClaimIsGivenBackAroundTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := engine.Want{Object: object(t, "https://origin.test/other"), Backend: backendID}
		w.queue.Queue = trippingQueue{Queue: w.queue.Queue, trip: func() {
			w.cache.broken.Store(true)
			for range 5 {
				_, _ = peek(t.Context(), w.engine, other)
			}
			w.cache.broken.Store(false)
		}}
		registry, _ := w.observe()
		if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); !errors.Is(err, errBroken) {
			t.Fatalf("error %v, want that of the queue", err)
		}
		w.checkBreaker(registry, "while the claim is given back", "100")
		at, err := w.memory.Get(t.Context(), cache.KeyOf(w.want.Object, backendID))
		if err != nil || at.Entry.State != cache.Absent {
			t.Errorf("the entry is %v without a job, error %v, want absent", at.Entry.State, err)
		}
	})
}

func TestClientsWhoLeaveAreNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		registry, _ := w.observe()
		left, leave := context.WithCancel(t.Context())
		leave()
		w.cache.broken.Store(true) // as a cancelled call fails
		for range 20 {
			_, _ = w.engine.Wait(left, w.want, patient)
		}
		w.cache.broken.Store(false)
		w.checkBreaker(registry, "after they left", "000")
		w.makePresent()
	})
}
