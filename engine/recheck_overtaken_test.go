package engine_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/storage"
)

// The record that was read before the look is the only one that is removed.
func TestARecheckIsOvertaken(t *testing.T) {
	purge := func(r *rechecker) {
		if _, err := r.engine.Purge(r.t.Context(), r.want); err != nil {
			r.t.Error(err)
		}
	}
	copyAgain := func(r *rechecker) {
		r.asked.answering = nil
		r.makePresent()
	}
	for name, tt := range map[string]struct {
		meanwhile func(r *rechecker)
		want      cache.State
	}{
		"by a purge": {purge, cache.Tombstone},
		"by a purge and a new copy": {func(r *rechecker) {
			purge(r)
			copyAgain(r)
		}, cache.Present},
		"by a flush": {func(r *rechecker) { r.memory.Flush() }, cache.Absent},
		"by a flush and a new copy": {func(r *rechecker) {
			r.memory.Flush()
			copyAgain(r)
		}, cache.Present},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRechecker(t)
				r.lose()
				looked, answer := make(chan struct{}), make(chan struct{})
				var looks atomic.Int64
				r.asked.answering = func() {
					if looks.Add(1) == 1 {
						close(looked)
						<-answer
					}
				}
				r.hit()
				<-looked
				tt.meanwhile(r)
				before := r.stored()
				close(answer)
				synctest.Wait()
				if before.State != tt.want || r.stored() != before {
					t.Errorf("it was %+v and is %+v, want %s as it was", before, r.stored(), tt.want)
				}
				if name != "by a flush" { // absence is what the recheck would write
					r.checkCounts(0, 0, 1, 0)
				}
			})
		})
	}
}

// A purge that died behind its marker is noticed, too: the copy is not the current one,
// whether or not there is a copy of the current one.
func TestACopyOfAnotherGenerationIsGone(t *testing.T) {
	for _, another := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRechecker(t)
			put := func(key, body string) {
				if _, err := r.storage.Put(t.Context(), key, strings.NewReader(body), storage.PutOptions{SizeBytes: int64(len(body))}); err != nil {
					t.Fatal(err)
				}
			}
			current := cloudmirror.NewGeneration()
			put(r.want.Object.MarkerKey(), string(current))
			if another {
				put(r.want.Object.StorageKey(current), content)
			}
			r.hit()
			if e := r.stored(); e.State != cache.Absent {
				t.Errorf("with another copy %v: the entry is %s, want absent", another, e.State)
			}
			r.checkCounts(0, 1, 0, 0)
		})
	}
}

// A purge that has to be heeded outlives the loss of the copy that followed on it.
func TestALostCopyLeavesTheFenceOfItsPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine = engine.New(engine.Options{
			Cache: w.cache, Logger: zap.NewNop(),
			Backends: []engine.Backend{{ID: backendID, Storage: w.storage, Queue: w.queue, TTL: 24 * time.Hour, Recheck: 30 * time.Second}},
		})
		t.Cleanup(w.engine.Close)
		r := &rechecker{world: w}
		if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		fence := w.stored()
		w.makePresent()
		w.lose()
		time.Sleep(30 * time.Second)
		r.hit()
		if e := w.stored(); e != fence {
			t.Errorf("the entry is %+v, want the tombstone %+v", e, fence)
		}
		time.Sleep(2 * time.Minute) // its life
		w.makePresent()
		r.hit()
	})
}

// What a process remembers may be older than what the cache has by now.
func TestARecheckReadsTheCacheItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		at, err := r.memory.Get(t.Context(), cache.KeyOf(r.want.Object, r.want.Backend))
		if err != nil {
			t.Fatal(err)
		}
		near := &laggard{entries: map[cache.Key]cache.Snapshot{cache.KeyOf(r.want.Object, r.want.Backend): at}}
		if _, err := r.engine.Purge(t.Context(), r.want); err != nil {
			t.Fatal(err)
		}
		r.makePresent()
		r.asked.check(t, "before", r.asked.opens.Load(), r.asked.stats.Load())
		before := r.stored()
		r.engine, r.registry, r.logs = r.newRecheckingEngine(recheck, near)
		r.hit()
		r.checkCounts(0, 0, 1, 0)
		r.asked.check(t, "a hit from memory of a copy that is not the current one", 0, 0)
		if r.stored() != before {
			t.Errorf("the entry is %+v, want %+v", r.stored(), before)
		}
	})
}

// A marker that expired says nothing of a copy that was made behind its purge, and long
// after it.
func TestACopyOutlivesTheMarkerOfItsPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRechecker(t)
		if _, err := r.engine.Purge(t.Context(), r.want); err != nil {
			t.Fatal(err)
		}
		time.Sleep(58 * time.Hour) // of 59, for which the marker is kept
		r.makePresent()
		before := r.stored()
		time.Sleep(time.Hour)
		if r.exists(r.want.Object.MarkerKey()) {
			t.Fatal("the marker is still there")
		}
		r.hit()
		if e := r.stored(); e != before {
			t.Errorf("the entry is %+v, want %+v", e, before)
		}
		r.checkCounts(1, 0, 0, 0)
		r.lose()
		time.Sleep(recheck)
		r.hit()
		r.checkCounts(1, 1, 0, 0)
	})
}
