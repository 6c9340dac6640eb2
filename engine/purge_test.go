package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

func TestPurge(t *testing.T) {
	w := newWorld(t)
	w.makePresent()
	old := w.want.Object.StorageKey(cloudmirror.FirstGeneration)
	for i := range 2 { // also when there is nothing any more
		if found, err := w.engine.Purge(t.Context(), w.want); err != nil || found != (i == 0) {
			t.Fatalf("purge %d: found %v, error %v", i+1, found, err)
		}
		if w.exists(old) {
			t.Fatal("the old copy is still there")
		}
		if state := w.peek().Entry.State; state != cache.Absent {
			t.Fatalf("the entry is %v, want absent", state)
		}
	}
	w.makePresent()
	e := w.peek().Entry
	if e.State != cache.Present || e.Generation == cloudmirror.FirstGeneration {
		t.Errorf("copied again: %+v, want present in a new generation", e)
	}
	w.memory.Flush()
	if again := w.peek().Entry; again.State != cache.Present || again.Generation != e.Generation {
		t.Errorf("after a flush: %+v, want generation %s", again, e.Generation)
	}
}

// What a purge finds is a copy that is stored or under way, whatever the cache knows.
func TestPurgeSaysWhatItFound(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(w *world)
		want   bool
	}{
		"nothing":                      {func(*world) {}, false},
		"a copy that the cache forgot": {func(w *world) { w.makePresent(); w.memory.Flush() }, true},
		"a copy under way": {func(w *world) {
			w.ensure()
		}, true},
		"an entry whose copy was lost": {func(w *world) { w.makePresent(); w.lose() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.before(w)
			if found, err := w.engine.Purge(t.Context(), w.want); found != tt.want || err != nil {
				t.Errorf("found %v, error %v, want %v", found, err, tt.want)
			}
		})
	}
}

// Each case is one interleaving of a purge with a copy: after all of it, the
// copy that began before the purge must be gone, and unknown to the cache.
func TestAPurgeOvertakesACopy(t *testing.T) {
	purge := func(w *world, _ *engine.Attempt) {
		if _, err := w.engine.Purge(w.t.Context(), w.want); err != nil {
			w.t.Fatal(err)
		}
	}
	flush := func(w *world, _ *engine.Attempt) { w.memory.Flush() }
	tombstoneEnds := func(*world, *engine.Attempt) { time.Sleep(3 * time.Minute) }
	renewIsLost := func(w *world, a *engine.Attempt) {
		if err := a.Renew(w.t.Context(), cache.Progress{}); !errors.Is(err, engine.ErrLost) {
			w.t.Errorf("renew: error %v, want ErrLost", err)
		}
	}
	completeIsLost := func(w *world, a *engine.Attempt) {
		if err := a.Complete(w.t.Context(), w.upload(a)); !errors.Is(err, engine.ErrLost) {
			w.t.Errorf("complete: error %v, want ErrLost", err)
		}
	}
	type step = func(*world, *engine.Attempt)
	tests := []struct {
		name  string
		steps []step
	}{
		{"before its upload", []step{purge, completeIsLost}},
		{"before its heartbeat", []step{purge, renewIsLost, completeIsLost}},
		{"and is flushed", []step{purge, flush, completeIsLost}},
		{"and is flushed before a heartbeat", []step{purge, flush, renewIsLost, completeIsLost}},
		{"after a flush", []step{flush, purge, completeIsLost}},
		{"whose copier sleeps until the tombstone is gone", []step{purge, tombstoneEnds, completeIsLost}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ensure()
				a := w.begin(w.receive())
				for _, step := range tt.steps {
					step(w, a)
				}
				if w.exists(a.StorageKey()) {
					t.Error("the copy of the overtaken attempt is still there")
				}
				if state := w.peek().Entry.State; state != cache.Absent {
					t.Errorf("the entry is %v, want absent", state)
				}
			})
		})
	}
}

// A copy that a purge could not remove must be gone before the purge's marker is, however
// long copies of its backend may live.
func TestAMarkerOutlivesEveryCopyOfItsBackend(t *testing.T) {
	const life = 30 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.maxLife = life
		w.engine = w.newEngine()
		w.ensure()
		a := w.begin(w.receive())
		info, err := w.storage.Put(t.Context(), a.StorageKey(), strings.NewReader(content), storage.PutOptions{
			SizeBytes: int64(len(content)), ExpiresAt: time.Now().Add(life),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Complete(t.Context(), info); err != nil {
			t.Fatal(err)
		}
		w.storage.Provider = &deletingStorage{Provider: w.storage.Provider, deleting: func(context.Context) error { return errBroken }}
		if _, err := w.engine.Purge(t.Context(), w.want); !errors.Is(err, errBroken) {
			t.Fatalf("purge: error %v, want it to die before it removes the copy", err)
		}
		w.memory.Flush()
		for day := 1; w.exists(a.StorageKey()); day++ {
			if state := w.peek().Entry.State; state != cache.Absent {
				t.Fatalf("after %d days the copy that was purged is %s", day, state)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestAPurgeOvertakesAJob(t *testing.T) {
	w := newWorld(t)
	w.ensure()
	job := w.receive()
	if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
		t.Fatal(err)
	}
	if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Stale {
		t.Errorf("the old job: outcome %v, error %v, want Stale", outcome, err)
	}
	w.memory.Flush() // nothing remembers the purge now but storage
	if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Stale {
		t.Errorf("after a flush: outcome %v, error %v, want Stale", outcome, err)
	}
}

func TestWaitersOfAPurgedCopyGetANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		w.begin(w.receive())
		if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.Generation == cloudmirror.FirstGeneration {
			t.Errorf("the waiter got %+v, error %v", waiting.view.Entry, waiting.err)
		}
	})
}

// A flight may have read of a copy before it was purged, and tell of it afterwards. A
// client that asked after the purge is not content with that.
func TestOldNewsIsNotForClientsThatAskAfterAPurge(t *testing.T) {
	const newer = "what the origin has since the purge"
	t.Run("waiting clients", func(t *testing.T) { askAfterAPurge(t, newer, nil) })
	t.Run("callers that expect the newer copy", func(t *testing.T) {
		askAfterAPurge(t, newer, &queue.Order{SizeBytes: int64(len(newer))})
	})
}

func askAfterAPurge(t *testing.T, newer string, order *queue.Order) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.wait(t.Context(), w.engine)
		synctest.Wait()
		a := w.begin(w.receive())
		read, answer := make(chan struct{}), make(chan struct{})
		w.cache.answering = func(at cache.Snapshot) {
			if at.Entry.State == cache.Present {
				w.cache.answering = nil
				close(read)
				<-answer
			}
		}
		if err := a.Complete(t.Context(), w.upload(a)); err != nil {
			t.Fatal(err)
		}
		<-read
		if _, err := w.newEngine().Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		w.want.Order = order
		second := w.wait(t.Context(), w.engine)
		synctest.Wait()
		close(answer)
		<-first.done
		synctest.Wait()
		a = w.begin(w.receive())
		info, err := w.storage.Put(t.Context(), a.StorageKey(), strings.NewReader(newer), storage.PutOptions{SizeBytes: int64(len(newer))})
		if err = errors.Join(err, a.Complete(t.Context(), info)); err != nil {
			t.Fatal(err)
		}
		<-second.done
		if second.err != nil || second.view.Entry.Generation == cloudmirror.FirstGeneration {
			t.Errorf("the client got %+v, error %v", second.view.Entry, second.err)
		}
	})
}

func TestConcurrentPurgesAgree(t *testing.T) {
	w := newWorld(t)
	w.makePresent()
	var purges sync.WaitGroup
	for range 20 {
		purges.Go(func() {
			if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
				t.Error(err)
			}
		})
	}
	purges.Wait()
	w.makePresent() // fails if tombstone and marker name different generations
	e := w.peek().Entry
	w.memory.Flush()
	if again := w.peek().Entry; again.State != cache.Present || again.Generation != e.Generation {
		t.Errorf("after a flush: %+v, want generation %s", again, e.Generation)
	}
}
