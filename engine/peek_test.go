package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// A spread is a world with several backends, each with a storage of its own, and an
// engine that remembers what is present in the first of them.
type spread struct {
	*world
	ids      []cloudmirror.BackendID
	storages map[cloudmirror.BackendID]*breakableStorage
	near     *laggard
}

func newSpread(t *testing.T, n int) *spread {
	t.Helper()
	w := newWorld(t)
	s := &spread{world: w, storages: make(map[cloudmirror.BackendID]*breakableStorage)}
	var backends []engine.Backend
	for i := range n {
		id := cloudmirror.BackendID{Service: "s3", Region: fmt.Sprintf("region-%d", i)}
		storage := &breakableStorage{Provider: &scheduledStorage{bucket: newBucket(), schedule: &schedule{free: true}}}
		s.ids, s.storages[id] = append(s.ids, id), storage
		backends = append(backends, engine.Backend{ID: id, Storage: storage, Queue: w.queue, TTL: 24 * time.Hour})
	}
	w.want.Backend, w.storage = s.ids[0], s.storages[s.ids[0]]
	_, s.near = w.newNearEngine()
	w.engine = engine.New(engine.Options{Cache: w.cache, Near: s.near, Backends: backends, Logger: zap.NewNop()})
	t.Cleanup(w.engine.Close)
	return s
}

// makePresentIn has the object copied to a backend.
func (s *spread) makePresentIn(id cloudmirror.BackendID) {
	s.t.Helper()
	if _, err := s.engine.Wait(s.t.Context(), engine.Want{Object: s.want.Object, Backend: id}, engine.Patience{}); err != nil {
		s.t.Fatal(err)
	}
	a := s.begin(s.receive())
	first := s.storage
	s.storage = s.storages[id]
	info := s.upload(a)
	s.storage = first
	if err := a.Complete(s.t.Context(), info); err != nil {
		s.t.Fatal(err)
	}
}

func (s *spread) peekAll(ids ...cloudmirror.BackendID) []engine.Peeked {
	s.t.Helper()
	peeked := s.engine.Peek(s.t.Context(), s.want.Object, ids)
	if len(peeked) != len(ids) {
		s.t.Fatalf("%d views of %d backends", len(peeked), len(ids))
	}
	return peeked
}

func TestPeekTellsOfManyBackendsInTheirOrder(t *testing.T) {
	s := newSpread(t, 4)
	s.makePresentIn(s.ids[1])
	s.makePresentIn(s.ids[3])
	if _, err := s.engine.Wait(t.Context(), engine.Want{Object: s.want.Object, Backend: s.ids[2]}, engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	before := s.cache.commands.Load()
	unknown := cloudmirror.BackendID{Service: "s3", Region: "nowhere"}
	peeked := s.peekAll(s.ids[3], unknown, s.ids[2], s.ids[0], s.ids[1])
	for i, want := range []cache.State{cache.Present, "", cache.Reserved, cache.Absent, cache.Present} {
		p := peeked[i]
		if want == "" {
			if !errors.Is(p.Err, engine.ErrUnknownBackend) {
				t.Errorf("backend %d: error %v, want ErrUnknownBackend", i, p.Err)
			}
			continue
		}
		if p.Err != nil || p.Entry.State != want || p.Source != engine.FromCache || time.Since(p.Now).Abs() > time.Minute {
			t.Errorf("backend %d: %+v, want %s", i, p, want)
		}
	}
	if n := s.cache.commands.Load() - before; n != 1 {
		t.Errorf("%d commands of the cache, want 1", n)
	}
	if peeked := s.peekAll(); len(peeked) != 0 {
		t.Errorf("no backends: %+v", peeked)
	}
}

// A Cluster's keys of one object are read 64 at a time.
func TestPeekTellsOfAnyNumberOfBackends(t *testing.T) {
	const n = 65
	s := newSpread(t, n)
	before := s.cache.commands.Load()
	for i, p := range s.peekAll(s.ids...) {
		if p.Err != nil || p.Entry.State != cache.Absent {
			t.Errorf("backend %d: %+v", i, p)
		}
	}
	if n := s.cache.commands.Load() - before; n != 2 {
		t.Errorf("%d commands of the cache, want 2", n)
	}
	s.cache.broken.Store(true)
	s.makeAllUnknown()
	for i, p := range s.peekAll(s.ids...) {
		if !errors.Is(p.Err, engine.ErrUnavailable) {
			t.Errorf("backend %d of a cache that is down: %+v", i, p)
		}
	}
}

// makeAllUnknown empties the memory.
func (s *spread) makeAllUnknown() {
	s.near.mu.Lock()
	defer s.near.mu.Unlock()
	clear(s.near.entries)
	clear(s.near.absent)
}

func TestPeekDoesNotAskForWhatIsRemembered(t *testing.T) {
	s := newSpread(t, 3)
	s.makePresentIn(s.ids[0])
	key := cache.KeyOf(s.want.Object, s.ids[0])
	at, err := s.memory.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.near.entries[key] = at
	s.peekAll(s.ids[1]) // and its absence is remembered
	spy := new(keySpy)
	spy.Store = s.cache.Store
	s.cache.Store = spy
	peeked := s.peekAll(s.ids...)
	for i, want := range []cache.State{cache.Present, cache.Absent, cache.Absent} {
		if p := peeked[i]; p.Err != nil || p.Entry.State != want {
			t.Errorf("backend %d: %+v, want %s", i, p, want)
		}
	}
	if want := cache.KeyOf(s.want.Object, s.ids[2]); len(spy.keys) != 1 || spy.keys[0] != want {
		t.Errorf("the cache was asked for %v, want %s", spy.keys, want)
	}
	s.peekAll(s.ids...)
	if len(spy.keys) != 1 {
		t.Errorf("the cache was asked for %v although all is remembered", spy.keys[1:])
	}
}

// A keySpy notes the keys that GetAll is asked for.
type keySpy struct {
	cache.Store
	keys []cache.Key
}

func (s *keySpy) GetAll(ctx context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	s.keys = append(s.keys, keys...)
	return s.Store.GetAll(ctx, keys)
}

func TestAStorageThatIsDownFailsItsOwnBackend(t *testing.T) {
	s := newSpread(t, 3)
	s.makePresentIn(s.ids[2])
	s.memory.Flush()
	s.storages[s.ids[1]].broken.Store(true)
	peeked := s.peekAll(s.ids...)
	if p := peeked[0]; p.Err != nil || p.Entry.State != cache.Absent {
		t.Errorf("a backend without the copy: %+v", p)
	}
	if p := peeked[1]; !errors.Is(p.Err, engine.ErrUnavailable) {
		t.Errorf("a backend that is down: %+v", p)
	}
	if p := peeked[2]; p.Err != nil || p.Entry.State != cache.Present || p.Source != engine.FromStorage {
		t.Errorf("a backend with the copy: %+v", p)
	}
	s.storages[s.ids[1]].broken.Store(false)
	if p := s.peekAll(s.ids[1])[0]; p.Err != nil || p.Entry.State != cache.Absent {
		t.Errorf("the backend that was down: %+v", p)
	}
}

func TestPeekLooksAtStoragesWithoutTheCache(t *testing.T) {
	s := newSpread(t, 2)
	s.makePresentIn(s.ids[1])
	s.cache.broken.Store(true)
	for range 10 { // the breaker opens meanwhile
		peeked := s.peekAll(s.ids...)
		if p := peeked[0]; !errors.Is(p.Err, engine.ErrUnavailable) {
			t.Errorf("a backend without the copy: %+v, want ErrUnavailable", p)
		}
		if p := peeked[1]; p.Err != nil || p.Entry.State != cache.Present || p.Source != engine.FromStorage {
			t.Errorf("a backend with the copy: %+v", p)
		}
	}
	if len(s.near.absent) != 0 {
		t.Errorf("without the cache, absence was noted: %v", s.near.absent)
	}
}

func TestPeekLooksAtStoragesAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpread(t, 5)
		for _, storage := range s.storages {
			storage.Provider = delayedStorage{storage.Provider, time.Second}
		}
		began := time.Now()
		for i, p := range s.peekAll(s.ids...) {
			if p.Err != nil || p.Entry.State != cache.Absent {
				t.Errorf("backend %d: %+v", i, p)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("looks of a second took %v", took)
		}
	})
}

func TestPeekEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpread(t, 2)
		for _, storage := range s.storages {
			storage.Provider = delayedStorage{storage.Provider, time.Second}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for i, p := range s.engine.Peek(ctx, s.want.Object, s.ids) {
			if !errors.Is(p.Err, context.DeadlineExceeded) {
				t.Errorf("backend %d: %+v, want the caller's error", i, p)
			}
		}
	})
}

// 500 clients a second look for an object that is nowhere.
func TestAFloodOfPeeksLooksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpread(t, 1)
		storage := s.storages[s.ids[0]]
		for second := range 3 {
			commands, stats := s.cache.commands.Load(), storage.stats.Load()
			for range 100 {
				var peeking sync.WaitGroup
				for range 5 {
					peeking.Go(func() {
						p := s.engine.Peek(t.Context(), s.want.Object, s.ids)[0]
						if p.Err != nil || p.Entry != (cache.Entry{State: cache.Absent, Generation: cloudmirror.FirstGeneration}) || p.Now.Before(time.Now()) {
							t.Errorf("%+v", p)
						}
					})
					synctest.Wait()
				}
				peeking.Wait()
				time.Sleep(10 * time.Millisecond)
			}
			commands, stats = s.cache.commands.Load()-commands, storage.stats.Load()-stats
			if commands != 1 || stats != 1 {
				t.Errorf("second %d: %d commands of the cache and %d looks at storage, want one each", second, commands, stats)
			}
		}
	})
}

func TestARememberedAbsenceKeepsNoClientFromACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpread(t, 1)
		if state := s.peekAll(s.ids...)[0].Entry.State; state != cache.Absent || len(s.near.absent) != 1 {
			t.Fatalf("%s, and %d absences are remembered", state, len(s.near.absent))
		}
		view, err := s.engine.Wait(t.Context(), s.want, engine.Patience{})
		if err != nil || view.Entry.State != cache.Reserved || s.queue.sent.Load() != 1 {
			t.Fatalf("a client that wants the object: %s, error %v, %d jobs sent, want one", view.Entry.State, err, s.queue.sent.Load())
		}
		if state := s.peekAll(s.ids...)[0].Entry.State; state != cache.Reserved {
			t.Errorf("after the claim it is %s", state)
		}
		s.copyOne()
		if state := s.peekAll(s.ids...)[0].Entry.State; state != cache.Present {
			t.Errorf("after the copy it is %s", state)
		}
	})
}

// Absence is noted if both cache and storage had nothing.
func TestOnlyWhatIsNowhereIsNotedAsAbsent(t *testing.T) {
	for name, prepare := range map[string]func(s *spread){
		"storage is down": func(s *spread) { s.storage.broken.Store(true) },
		"storage has it":  func(s *spread) { s.makePresent(); s.memory.Flush() },
		"it is queued": func(s *spread) {
			if _, err := s.engine.Wait(s.t.Context(), s.want, engine.Patience{}); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpread(t, 1)
			prepare(s)
			s.peekAll(s.ids...)
			if len(s.near.absent) != 0 {
				t.Errorf("absence was noted: %v", s.near.absent)
			}
		})
	}
}
