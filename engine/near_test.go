package engine_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
)

const settle = 500 * time.Millisecond

// A laggard remembers entries until it is told, which takes up to settle. It is told at
// once that what is absent changed.
type laggard struct {
	memory *memcache.Store

	mu      sync.Mutex
	entries map[cache.Key]cache.Snapshot
	absent  map[cache.Key]noted
}

// A noted absence.
type noted struct {
	entry cache.Entry
	since time.Time
}

func (l *laggard) RecallAny(key cache.Key) (cache.Recalled, bool) {
	if recalled, ok := l.Recall(key); ok {
		return recalled, true
	}
	at, err := l.memory.Get(context.Background(), key)
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.absent[key]
	if !ok || err != nil || at.Version() != "" || time.Since(n.since) >= time.Second {
		delete(l.absent, key)
		return cache.Recalled{}, false
	}
	return cache.Recalled{Entry: &n.entry, Now: at.Now()}, true
}

func (l *laggard) NoteAbsent(key cache.Key, _ cache.Snapshot, e cache.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.absent[key] = noted{entry: e, since: time.Now()}
}

func (l *laggard) Recall(key cache.Key) (cache.Recalled, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.entries[key]
	return cache.Recalled{Entry: &at.Entry, Now: at.Now()}, ok
}

func (l *laggard) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.entries)
}

// newNearEngine returns an engine of another process, and its memory, which has the copy if there is one.
func (w *world) newNearEngine() (*engine.Engine, *laggard) {
	key := cache.KeyOf(w.want.Object, w.want.Backend)
	at, err := w.memory.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	near := &laggard{memory: w.memory, entries: make(map[cache.Key]cache.Snapshot), absent: make(map[cache.Key]noted)}
	if at.Entry.State == cache.Present {
		near.entries[key] = at
	}
	m := engine.New(engine.Options{
		Cache: w.cache, Near: near, NearLag: settle, Logger: zap.NewNop(),
		Backends: []engine.Backend{{ID: backendID, Storage: w.storage, Queue: w.queue, TTL: 24 * time.Hour}},
	})
	w.t.Cleanup(m.Close)
	return m, near
}

func TestWhatIsRememberedNeedsNoCache(t *testing.T) {
	w := newWorld(t)
	w.makePresent()
	m, near := w.newNearEngine()
	before := w.cache.commands.Load()
	view, err := m.Wait(t.Context(), w.want, engine.Patience{})
	if err != nil || view.Entry.State != cache.Present || view.Source != engine.FromCache {
		t.Errorf("the view is %+v, error %v", view, err)
	}
	if n := w.cache.commands.Load() - before; n != 0 {
		t.Errorf("the cache got %d commands", n)
	}
	near.forgetAll()
	if view, err := m.Wait(t.Context(), w.want, engine.Patience{}); err != nil || view.Entry.State != cache.Present {
		t.Errorf("what is not remembered: %+v, error %v", view, err)
	}
	if w.cache.commands.Load() == before {
		t.Error("what is not remembered was not asked for")
	}
}

// Whatever decides about jobs and copies asks the cache itself.
func TestChangesAreNotBasedOnWhatIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.makePresent()
	m, near := w.newNearEngine() // it is never told
	if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
		t.Fatal(err)
	}
	w.ensure()
	if view, err := peek(t.Context(), m, w.want); err != nil || view.Entry.State != cache.Present {
		t.Errorf("what is remembered: %+v, error %v, want present", view.Entry, err)
	}
	remembered := maps.Clone(near.entries)
	near.forgetAll() // as it has to within settle
	if view, err := peek(t.Context(), m, w.want); err != nil || view.Entry.State != cache.Queued {
		t.Errorf("the status is %+v, error %v, want queued", view.Entry, err)
	}
	near.entries = remembered
	if _, outcome, err := m.Begin(t.Context(), w.receive()); err != nil || outcome != engine.Begun {
		t.Errorf("the job of the new copy: outcome %v, error %v, want Begun", outcome, err)
	}
}

func TestAPurgeEndsWhenNobodyRemembersTheCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.makePresent()
		m, _ := w.newNearEngine()
		began := time.Now()
		if _, err := m.Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != settle {
			t.Errorf("it took %v, want %v", took, settle)
		}
		ctx, cancel := context.WithTimeout(t.Context(), settle/2)
		defer cancel()
		if _, err := m.Purge(ctx, w.want); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("a caller that could not wait got %v, want ErrUnavailable", err)
		}
	})
}
