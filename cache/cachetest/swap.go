package cachetest

import (
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

const (
	lease = time.Minute
	life  = time.Hour
)

func getAbsent(t *testing.T, s suite) {
	wantNothing(t, s.get(t, s.Store, newKey()))
}

func getStored(t *testing.T, s suite) {
	for state, entry := range entries(s.get(t, s.Store, newKey()).Now(), life) {
		t.Run(string(state), func(t *testing.T) {
			key := newKey()
			wantStored(t, s.put(t, key, entry), entry)
			wantStored(t, s.get(t, s.Store, key), entry)
			wantStored(t, s.get(t, s.Peer, key), entry)
		})
	}
}

// unreadable returns values that are no entries, by what is wrong with them.
func unreadable() map[string]string {
	return map[string]string{
		"not JSON":             "\x00 no entry",
		"empty":                "",
		"of another version":   `{"v":99,"state":"present","gen":"0","until":9999999999999}`,
		"of an unknown state":  `{"v":1,"state":"thinking","gen":"0","until":9999999999999}`,
		"an error and no more": `{"v":1,"state":"error","gen":"0","until":9999999999999}`,
	}
}

func getUnreadable(t *testing.T, s suite) {
	if s.Plant == nil {
		t.Skip(s.NoPlant)
	}
	for phrase, raw := range unreadable() {
		t.Run(phrase, func(t *testing.T) {
			key := newKey()
			s.Plant(t, key, raw)
			old := s.get(t, s.Store, key)
			if old.Entry.State != cache.Absent {
				t.Fatalf("the value reads as %s", old.Entry.State)
			}
			next, _ := old.Entry.Claim(old.Now(), cloudmirror.NewID(), cloudmirror.FirstGeneration, lease)
			wantStored(t, s.swap(t, s.Store, key, old, next, true), next)
			wantStored(t, s.get(t, s.Store, key), next)
		})
	}
}

func swapWins(t *testing.T, s suite) {
	key := newKey()
	old := s.get(t, s.Store, key)
	for _, state := range []cache.State{cache.Queued, cache.Copying, cache.Present, cache.Tombstone} {
		next := entries(old.Now(), life)[state]
		after := s.swap(t, s.Store, key, old, next, true)
		wantStored(t, after, next)
		got := s.get(t, s.Store, key)
		wantStored(t, got, next)
		if got.Version() != after.Version() {
			t.Errorf("get has the version %q, the swap before it %q", got.Version(), after.Version())
		}
		old = after // a swap's snapshot serves the next one
	}
}

func swapFromOldSnapshot(t *testing.T, s suite) {
	key := newKey()
	old := s.get(t, s.Peer, key)
	first, second := entries(old.Now(), life)[cache.Queued], entries(old.Now(), life)[cache.Queued]
	s.put(t, key, first)

	now := s.swap(t, s.Peer, key, old, second, false)
	wantStored(t, now, first)
	wantStored(t, s.get(t, s.Store, key), first)
	s.swap(t, s.Peer, key, old, cache.Entry{State: cache.Absent}, false)

	// What the refusal showed is right to go on with.
	wantStored(t, s.swap(t, s.Peer, key, now, second, true), second)
	wantStored(t, s.get(t, s.Store, key), second)
}

func swapOfVanished(t *testing.T, s suite) {
	key := newKey()
	of := entries(s.get(t, s.Store, key).Now(), life)
	old := s.put(t, key, of[cache.Copying])
	s.Flush(t)
	wantNothing(t, s.swap(t, s.Store, key, old, of[cache.Present], false))
	wantNothing(t, s.get(t, s.Store, key))
}

func swapRemoves(t *testing.T, s suite) {
	key := newKey()
	old := s.put(t, key, entries(s.get(t, s.Store, key).Now(), life)[cache.Present])
	wantNothing(t, s.swap(t, s.Peer, key, old, cache.Entry{State: cache.Absent}, true))
	wantNothing(t, s.get(t, s.Store, key))
}

func swapTwice(t *testing.T, s suite) {
	key := newKey()
	old := s.get(t, s.Store, key)
	next := entries(old.Now(), life)[cache.Queued]
	s.swap(t, s.Store, key, old, next, true)
	stored := s.swap(t, s.Store, key, old, next, true)
	wantStored(t, stored, next)

	gone := cache.Entry{State: cache.Absent}
	s.swap(t, s.Store, key, stored, gone, true)
	wantNothing(t, s.swap(t, s.Store, key, stored, gone, true))
}

func swapSkewed(t *testing.T, s suite) {
	for phrase, skew := range map[string]time.Duration{"ahead": time.Second, "behind": -time.Second} {
		t.Run(phrase, func(t *testing.T) {
			key := newKey()
			old := s.get(t, s.Store, key)
			skewed := cache.NewSnapshot(old.Entry, old.Version(), old.Now().Add(skew+skew/2))
			next := entries(skewed.Now(), life)[cache.Present]
			now := s.swap(t, s.Store, key, skewed, next, false)
			wantNothing(t, now)
			wantNothing(t, s.get(t, s.Store, key))
			s.swap(t, s.Store, key, now, next, true) // the refusal shows the right time
		})
	}
}

func swapSlightlySkewed(t *testing.T, s suite) {
	for phrase, skew := range map[string]time.Duration{"ahead": time.Second / 2, "behind": -time.Second / 2} {
		t.Run(phrase, func(t *testing.T) {
			key := newKey()
			old := s.get(t, s.Store, key)
			skewed := cache.NewSnapshot(old.Entry, old.Version(), old.Now().Add(skew))
			s.swap(t, s.Store, key, skewed, entries(skewed.Now(), life)[cache.Present], true)
		})
	}
}

func storeTime(t *testing.T, s suite) {
	const step, tolerance = 300 * time.Millisecond, 100 * time.Millisecond
	key := newKey()
	old := s.get(t, s.Store, key)
	before := old.Now()
	s.Advance(t, step)
	next := entries(before, life)[cache.Present]
	for phrase, after := range map[string]cache.Snapshot{
		"get":  s.get(t, s.Peer, key),
		"swap": s.put(t, key, next),
		"no swap": s.swap(t, s.Store, key, old,
			cache.Entry{State: cache.Absent}, false),
	} {
		if passed := after.Now().Sub(before); passed < step-tolerance || passed > patience {
			t.Errorf("%s: %v passed for the store, want %v", phrase, passed, step)
		}
	}
}
