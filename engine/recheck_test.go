package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

const recheck = 10 * time.Minute

// A rechecker is a world whose engine looks again at copies, and what can be read of
// that. Its object was copied longer ago than recheck.
type rechecker struct {
	*world
	asked    *askedStorage
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
}

func newRechecker(t *testing.T) *rechecker {
	t.Helper()
	w, asked := askedWorld(t)
	r := &rechecker{world: w, asked: asked}
	w.engine, r.registry, r.logs = r.newRecheckingEngine(recheck, nil)
	w.makePresent()
	time.Sleep(recheck)
	asked.check(t, "before", 1, 1)
	return r
}

func (r *rechecker) newRecheckingEngine(after time.Duration, near engine.Near) (*engine.Engine, *prometheus.Registry, *observer.ObservedLogs) {
	registry := prometheus.NewRegistry()
	core, logs := observer.New(zap.WarnLevel)
	m := engine.New(engine.Options{
		Cache: r.cache, Near: near, Logger: zap.New(core), Registerer: registry,
		Backends: []engine.Backend{{ID: backendID, Storage: r.storage, Queue: r.queue, TTL: 24 * time.Hour, Recheck: after}},
	})
	r.t.Cleanup(m.Close)
	return m, registry, logs
}

// hit asks for the object, whose redirect must come from the cache and wait for
// nothing, and lets everything behind it come to its end or to a halt.
func (r *rechecker) hit() {
	r.t.Helper()
	r.hitBy(r.engine)
	synctest.Wait()
}

func (r *rechecker) hitBy(m *engine.Engine) {
	r.t.Helper()
	began := time.Now()
	view, err := m.Wait(r.t.Context(), r.want, patient)
	if err != nil || view.Entry.State != cache.Present || view.Source != engine.FromCache {
		r.t.Errorf("%s from %v, error %v, want a hit", view.Entry.State, view.Source, err)
	}
	if took := time.Since(began); took != 0 {
		r.t.Errorf("the hit took %v", took)
	}
}

// stored returns what the cache holds.
func (w *world) stored() cache.Entry {
	w.t.Helper()
	at, err := w.memory.Get(w.t.Context(), cache.KeyOf(w.want.Object, w.want.Backend))
	if err != nil {
		w.t.Fatal(err)
	}
	return at.Entry
}

// lose removes the current copy behind the engine's back.
func (w *world) lose() {
	w.t.Helper()
	if err := w.storage.Delete(w.t.Context(), w.want.Object.StorageKey(w.stored().Generation)); err != nil {
		w.t.Fatal(err)
	}
}

func (r *rechecker) checkCounts(there, gone, changed, failed int) {
	r.t.Helper()
	var want strings.Builder
	want.WriteString("# HELP cloudmirror_rechecks_total Looks behind hits whether storage still has the copy, by what they came to: there, gone, changed (the entry, meanwhile), failed.\n# TYPE cloudmirror_rechecks_total counter\n")
	for result, n := range map[string]int{"there": there, "gone": gone, "changed": changed, "failed": failed} {
		fmt.Fprintf(&want, "cloudmirror_rechecks_total{region=%q,result=%q,service=%q} %d\n", backendID.Region, result, backendID.Service, n)
	}
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want.String()), "cloudmirror_rechecks_total"); err != nil {
		r.t.Error(err)
	}
}

func TestACopyThatStorageLostIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		r.lose()
		r.hit() // the last one to a place where nothing is
		if e := r.stored(); e.State != cache.Absent {
			t.Fatalf("after the hit the entry is %s, want absent", e.State)
		}
		r.checkCounts(0, 1, 0, 0)
		if lines := r.logs.FilterField(zap.Stringer("object", r.want.Object)).Len(); lines != 1 {
			t.Errorf("%d log lines name the object, want 1", lines)
		}
		r.makePresent()
		r.hit()
		if !r.exists(r.want.Object.StorageKey(cloudmirror.FirstGeneration)) {
			t.Error("the copy was not made again")
		}
		r.checkCounts(0, 1, 0, 0)
	})
}

// A copy that is where it should be costs a read of the cache and a look, and no
// write, once in a while.
func TestACopyIsLookedAtOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		before := r.cache.commands.Load()
		r.hit()
		r.asked.check(t, "the first hit", 1, 1)
		if n := r.cache.commands.Load() - before; n != 2 {
			t.Errorf("%d commands of the cache, want the reads of the hit and of the recheck", n)
		}
		time.Sleep(recheck - time.Second)
		r.hit()
		r.asked.check(t, "hits until it is due", 0, 0)
		time.Sleep(time.Second)
		r.hit()
		r.asked.check(t, "a hit when it is due", 1, 1)
		time.Sleep(recheck)
		r.peek()
		synctest.Wait()
		r.asked.check(t, "another door", 1, 1)
		r.checkCounts(3, 0, 0, 0)
	})
}

// What copiers and backfills saw needs no look.
func TestWhatWasSeenLatelyIsNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		r.memory.Flush()
		if view, err := r.engine.Wait(t.Context(), r.want, engine.Patience{}); err != nil || view.Source != engine.FromStorage {
			t.Fatalf("after a flush from %v, error %v, want storage", view.Source, err)
		}
		r.asked.check(t, "a backfill", 1, 1)
		time.Sleep(recheck - time.Second)
		r.hit()
		r.asked.check(t, "a hit after a backfill", 0, 0)
		if _, err := r.engine.Purge(t.Context(), r.want); err != nil {
			t.Fatal(err)
		}
		time.Sleep(recheck)
		r.makePresent()
		r.asked.check(t, "a purge and a copy", r.asked.opens.Load(), r.asked.stats.Load())
		time.Sleep(recheck - time.Second)
		r.hit()
		r.asked.check(t, "a hit after a copy", 0, 0)
		time.Sleep(time.Second)
		r.hit()
		r.asked.check(t, "a hit when it is due", 1, 1)
	})
}

func TestACrowdCausesOneRecheck(t *testing.T) {
	for _, after := range []time.Duration{recheck, 50 * time.Millisecond} { // longer and shorter than the look
		synctest.Test(t, func(t *testing.T) {
			r := newRechecker(t)
			r.engine, r.registry, r.logs = r.newRecheckingEngine(after, nil)
			answer := make(chan struct{})
			r.asked.answering = func() { <-answer }
			for range 100 {
				go r.hitBy(r.engine)
			}
			synctest.Wait()
			for range 3 { // and clients that come while it is under way
				time.Sleep(100 * time.Millisecond)
				r.hit()
			}
			r.asked.check(t, "a crowd", 1, 1)
			close(answer)
			synctest.Wait()
			r.checkCounts(1, 0, 0, 0)
		})
	}
}

// A refusal, an error and silence are not "gone", and are not asked for at once again.
func TestAStorageThatDoesNotTellRemovesNothing(t *testing.T) {
	for name, damage := range map[string]func(r *rechecker){
		"an error": func(r *rechecker) { r.storage.broken.Store(true) },
		"silence":  func(r *rechecker) { r.storage.Provider = slowStorage{r.storage.Provider} },
		"a cache that does not answer": func(r *rechecker) {
			r.asked.answering = func() { r.cache.broken.Store(true) } // while storage is looked at
			r.lose()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRechecker(t)
				whole := r.storage.Provider
				damage(r)
				r.hit()
				time.Sleep(3 * time.Second) // the time of a look
				r.storage.broken.Store(false)
				r.storage.Provider = whole
				r.asked.answering = nil
				r.cache.broken.Store(false)
				r.checkCounts(0, 0, 0, 1)
				if e := r.stored(); e.State != cache.Present {
					t.Fatalf("the entry is %s", e.State)
				}
				if r.logs.Len() != 1 {
					t.Errorf("%d log lines, want 1", r.logs.Len())
				}
				time.Sleep(26 * time.Second)
				r.hit()
				r.checkCounts(0, 0, 0, 1)
				time.Sleep(time.Second)
				r.hit()
				if name == "a cache that does not answer" {
					r.checkCounts(0, 1, 0, 1)
				} else {
					r.checkCounts(1, 0, 0, 1)
				}
			})
		})
	}
}

func TestTwoFrontEndsFindTheSameLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		r.lose()
		answer := make(chan struct{})
		r.asked.answering = func() { <-answer }
		other, _, logs := r.newRecheckingEngine(recheck, nil)
		r.hit()
		r.hitBy(other)
		synctest.Wait()
		r.asked.check(t, "two front ends", 2, 2)
		close(answer)
		synctest.Wait()
		if e := r.stored(); e.State != cache.Absent || logs.Len() != 1 || r.logs.Len() != 1 {
			t.Errorf("the entry is %s, with %d and %d log lines", e.State, r.logs.Len(), logs.Len())
		}
		r.makePresent()
		r.hit()
	})
}

// However many copies are due, storage is asked for ten in a second, and for four at a
// time.
func TestRechecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		wants := make([]engine.Want, 30)
		for i := range wants {
			wants[i] = engine.Want{Object: object(t, fmt.Sprintf("https://origin.test/%d", i)), Backend: backendID}
			if _, err := r.engine.Wait(t.Context(), wants[i], engine.Patience{}); err != nil {
				t.Fatal(err)
			}
			r.copyOne()
		}
		time.Sleep(recheck)
		hitAll := func() {
			for _, w := range wants {
				if view, err := r.engine.Wait(t.Context(), w, patient); err != nil || view.Source != engine.FromCache {
					t.Fatalf("from %v, error %v, want a hit", view.Source, err)
				}
			}
			synctest.Wait()
		}
		r.asked.check(t, "before", r.asked.opens.Load(), r.asked.stats.Load())
		for range 10 {
			hitAll()
			time.Sleep(100 * time.Millisecond)
		}
		r.asked.check(t, "a second", 10, 10)
		answer := make(chan struct{})
		r.asked.answering = func() { <-answer }
		for range 10 {
			hitAll()
			time.Sleep(100 * time.Millisecond)
		}
		r.asked.check(t, "a second in which storage is silent", 4, 4)
		close(answer)
	})
}

func TestNoRechecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		time.Sleep(20 * recheck)
		r.engine = r.newEngine()
		r.hit()
		r.asked.check(t, "an engine without rechecks", 0, 0)
		without := engine.Backend{ID: backendID, Storage: r.storage, Queue: r.queue, TTL: 24 * time.Hour}
		with := without
		with.ID.Region, with.Recheck = "us-east-1", recheck
		r.engine = engine.New(engine.Options{Cache: r.cache, Logger: zap.NewNop(), Backends: []engine.Backend{with, without}})
		t.Cleanup(r.engine.Close)
		r.hit()
		r.asked.check(t, "a backend without rechecks beside one that has them", 0, 0)
	})
}

func TestCloseEndsRechecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		r.storage.Provider = slowStorage{r.storage.Provider}
		r.hit()
		began := time.Now()
		r.engine.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v", took)
		}
		r.checkCounts(0, 0, 0, 1)
		if r.logs.Len() != 0 {
			t.Errorf("it left %d log lines", r.logs.Len())
		}
	})
}
