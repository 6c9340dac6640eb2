package cachetest

import (
	"sync"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// wantChange waits for a value of the channel.
func wantChange(t *testing.T, changed <-chan struct{}, after string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
		t.Fatalf("no value %v after: %s", patience, after)
	}
}

// settle takes the values of earlier changes, until none comes for a while. A
// value that is later still can make a broken driver pass, never a good one fail.
func settle(changed <-chan struct{}) {
	const quiet = 50 * time.Millisecond
	for {
		select {
		case <-changed:
		case <-time.After(quiet):
			return
		}
	}
}

func watchChanges(t *testing.T, s suite) {
	key := newKey()
	changed, stop := s.Store.Watch(key)
	defer stop()
	now := s.get(t, s.Store, key).Now()
	for _, state := range []cache.State{cache.Queued, cache.Copying, cache.Present, cache.Tombstone, cache.Absent} {
		settle(changed)
		next := cache.Entry{State: cache.Absent}
		if state != cache.Absent {
			next = entries(now, life)[state]
		}
		s.swap(t, s.Store, key, s.get(t, s.Store, key), next, true)
		wantChange(t, changed, "swap to "+string(state))
	}
}

func watchPeer(t *testing.T, s suite) {
	key := newKey()
	changed, stop := s.Store.Watch(key)
	defer stop()
	settle(changed)
	old := s.get(t, s.Peer, key)
	stored := s.swap(t, s.Peer, key, old, entries(old.Now(), life)[cache.Present], true)
	wantChange(t, changed, "a swap by the peer")
	settle(changed)
	s.swap(t, s.Peer, key, stored, cache.Entry{State: cache.Absent}, true)
	wantChange(t, changed, "a removal by the peer")
}

// watchOneByOne changes an entry in several processes, each of which knows of the
// change before, and reads nothing until that is done.
func watchOneByOne(t *testing.T, s suite) {
	key := newKey()
	changed, stop := s.Store.Watch(key)
	defer stop()
	settle(changed)
	at := s.get(t, s.Store, key)
	for i, state := range []cache.State{cache.Queued, cache.Copying, cache.Present} {
		store := s.Store
		if i > 0 {
			store = s.Peer
		}
		at = s.swap(t, store, key, at, entries(at.Now(), life)[state], true)
	}
	for _, change := range []string{"first", "second", "third"} {
		wantChange(t, changed, "the "+change+" of three changes")
	}
}

func watchFlush(t *testing.T, s suite) {
	key := newKey()
	s.put(t, key, entries(s.get(t, s.Store, key).Now(), life)[cache.Queued])
	changed, stop := s.Store.Watch(key)
	defer stop()
	settle(changed)
	s.Flush(t)
	for range cache.MaxUntold {
		wantChange(t, changed, "the flush")
	}
	wantNothing(t, s.get(t, s.Store, key))
}

func watchPlanted(t *testing.T, s suite) {
	if s.Plant == nil {
		t.Skip(s.NoPlant)
	}
	key := newKey()
	changed, stop := s.Store.Watch(key)
	defer stop()
	settle(changed)
	s.Plant(t, key, "by hand")
	wantChange(t, changed, "a value was written by hand")
}

// watchThenGet lets a change race with the registration: whatever happens
// first, either the get shows the change or the channel tells of it.
func watchThenGet(t *testing.T, s suite) {
	for range 200 {
		key := newKey()
		old := s.get(t, s.Peer, key)
		next := entries(old.Now(), life)[cache.Present]
		var writing sync.WaitGroup
		writing.Go(func() {
			if _, swapped, err := s.Peer.Swap(t.Context(), key, old, next); err != nil || !swapped {
				t.Errorf("swap beside the registration: swapped is %t, error %v", swapped, err)
			}
		})

		changed, stop := s.Store.Watch(key)
		for s.get(t, s.Store, key).Entry.State != cache.Present {
			wantChange(t, changed, "a swap beside the registration")
		}
		stop()
		writing.Wait()
	}
}

func stopWatching(t *testing.T, s suite) {
	key := newKey()
	_, stopFirst := s.Store.Watch(key)
	second, stopSecond := s.Store.Watch(key)
	defer stopSecond()
	old := s.get(t, s.Store, key)
	stored := s.swap(t, s.Store, key, old, entries(old.Now(), life)[cache.Queued], true)
	wantChange(t, second, "a swap")

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stopFirst() // its channel is full
		stopFirst() // and it may be called twice, as deferred calls are
	}()
	wantChange(t, stopped, "stop was called")
	settle(second)
	s.swap(t, s.Store, key, stored, cache.Entry{State: cache.Absent}, true)
	wantChange(t, second, "the other watcher was stopped, and a swap")
}

func unreadWatcher(t *testing.T, s suite) {
	key := newKey()
	_, stop := s.Store.Watch(key)
	defer stop()
	read, stopRead := s.Store.Watch(key)
	defer stopRead()
	for range 20 {
		old := s.get(t, s.Store, key)
		next, _ := old.Entry.At(old.Now()).Claim(old.Now(), cloudmirror.NewID(), cloudmirror.FirstGeneration, lease)
		stored := s.swap(t, s.Store, key, old, next, true)
		wantChange(t, read, "a swap")
		s.swap(t, s.Store, key, stored, cache.Entry{State: cache.Absent}, true)
	}
}
