package cachetest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// getAll reads keys, of which there must be as many snapshots.
func (s suite) getAll(t *testing.T, store cache.Store, keys []cache.Key) []cache.Snapshot {
	t.Helper()
	all, err := store.GetAll(t.Context(), keys)
	if err != nil {
		t.Fatalf("get all: %v", err)
	}
	if len(all) != len(keys) {
		t.Fatalf("%d snapshots for %d keys", len(all), len(keys))
	}
	return all
}

func getAllInOrder(t *testing.T, s suite) {
	states := []cache.State{cache.Tombstone, cache.Absent, cache.Present, cache.Queued, cache.Absent, cache.Failed, cache.Copying}
	keys := newKeys(len(states))
	of := entries(s.get(t, s.Store, keys[0]).Now(), life)
	for i, state := range states {
		if state != cache.Absent {
			s.put(t, keys[i], of[state])
		}
	}
	check := func(all []cache.Snapshot, states []cache.State) {
		for i, state := range states {
			if state == cache.Absent {
				wantNothing(t, all[i])
			} else {
				wantStored(t, all[i], of[state])
			}
		}
	}
	for _, store := range []cache.Store{s.Store, s.Peer} {
		check(s.getAll(t, store, keys), states)
		check(s.getAll(t, store, keys[2:3]), states[2:3])
		check(s.getAll(t, store, []cache.Key{keys[5], keys[0], keys[5]}), []cache.State{cache.Failed, cache.Tombstone, cache.Failed})
	}
}

func getAllOfNone(t *testing.T, s suite) { s.getAll(t, s.Store, nil) }

func getAllUnreadable(t *testing.T, s suite) {
	if s.Plant == nil {
		t.Skip(s.NoPlant)
	}
	raws := slices.Collect(maps.Values(unreadable()))
	keys := newKeys(len(raws))
	for i, raw := range raws {
		s.Plant(t, keys[i], raw)
	}
	for i, old := range s.getAll(t, s.Store, keys) {
		if old.Entry.State != cache.Absent {
			t.Fatalf("a value reads as %s", old.Entry.State)
		}
		next, _ := old.Entry.Claim(old.Now(), cloudmirror.NewID(), cloudmirror.FirstGeneration, lease)
		wantStored(t, s.swap(t, s.Store, keys[i], old, next, true), next)
	}
}

func getAllSwaps(t *testing.T, s suite) {
	keys := newKeys(2)
	of := entries(s.get(t, s.Store, keys[0]).Now(), life)
	s.put(t, keys[0], of[cache.Queued])
	all := s.getAll(t, s.Peer, keys)
	if version := s.get(t, s.Peer, keys[0]).Version(); version != all[0].Version() {
		t.Errorf("of many keys, one has the version %q, alone %q", all[0].Version(), version)
	}
	wantStored(t, s.swap(t, s.Store, keys[0], all[0], of[cache.Copying], true), of[cache.Copying])
	wantStored(t, s.swap(t, s.Store, keys[1], all[1], of[cache.Queued], true), of[cache.Queued])
	s.swap(t, s.Store, keys[0], all[0], of[cache.Present], false)
	s.swap(t, s.Store, keys[1], all[1], of[cache.Present], false)
}

func getAllAtOneTime(t *testing.T, s suite) {
	const step, tolerance = 300 * time.Millisecond, 100 * time.Millisecond
	keys := newKeys(cache.MaxKeys)
	before := s.get(t, s.Store, keys[0]).Now()
	s.Advance(t, step)
	all := s.getAll(t, s.Peer, keys)
	for i, at := range all {
		if passed := at.Now().Sub(before); passed < step-tolerance || passed > patience {
			t.Errorf("snapshot %d: %v passed for the store, want %v", i, passed, step)
		}
		if apart := at.Now().Sub(all[0].Now()).Abs(); apart > tolerance {
			t.Errorf("snapshot %d was taken %v apart from the first", i, apart)
		}
	}
}

func getAllOfTooMany(t *testing.T, s suite) {
	for _, at := range s.getAll(t, s.Store, newKeys(64)) {
		wantNothing(t, at)
	}
	if all, err := s.Store.GetAll(t.Context(), newKeys(65)); err == nil {
		t.Errorf("65 keys were read: %d snapshots", len(all))
	}
}

func getAllOfDifferentObjects(t *testing.T, s suite) {
	if all, err := s.Store.GetAll(t.Context(), []cache.Key{newKey(), newKey()}); err == nil {
		t.Errorf("keys of two objects were read: %d snapshots", len(all))
	}
}
