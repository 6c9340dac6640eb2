package cachetest

import (
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// moment is a life that a test can wait for, and that ends in no test too early.
const moment = 400 * time.Millisecond

func vanish(t *testing.T, s suite) {
	for _, state := range []cache.State{cache.Present, cache.Failed, cache.Tombstone} {
		t.Run(string(state), func(t *testing.T) {
			key := newKey()
			old := s.get(t, s.Store, key)
			next := entries(old.Now(), moment)[state]
			wantStored(t, s.swap(t, s.Store, key, old, next, true), next)
			s.Advance(t, moment+moment/4)
			wantNothing(t, s.get(t, s.Store, key))
		})
	}
}

func storePastEntry(t *testing.T, s suite) {
	key := newKey()
	now := s.get(t, s.Store, key).Now()
	stored := s.put(t, key, entries(now, life)[cache.Copying])
	// It does replace what was there.
	wantNothing(t, s.swap(t, s.Store, key, stored, entries(now, -moment)[cache.Present], true))
	wantNothing(t, s.get(t, s.Store, key))
}

func takeOver(t *testing.T, s suite) {
	for _, state := range []cache.State{cache.Queued, cache.Copying} {
		t.Run(string(state), func(t *testing.T) {
			key := newKey()
			old := s.get(t, s.Store, key)
			lapsing := entries(old.Now(), moment)[state]
			s.swap(t, s.Store, key, old, lapsing, true)
			s.Advance(t, moment+moment/4)

			lapsed := s.get(t, s.Peer, key)
			wantStored(t, lapsed, lapsing)
			claimed, outcome := lapsed.Entry.Claim(lapsed.Now(), cloudmirror.NewID(), cloudmirror.FirstGeneration, lease)
			if outcome != cache.ClaimResend || claimed.Job != lapsing.Job {
				t.Fatalf("the claim's outcome is %v with job %s, want a resend of %s", outcome, claimed.Job, lapsing.Job)
			}
			wantStored(t, s.swap(t, s.Peer, key, lapsed, claimed, true), claimed)
		})
	}
}

func vanishPending(t *testing.T, s suite) {
	for _, state := range []cache.State{cache.Queued, cache.Copying} {
		t.Run(string(state), func(t *testing.T) {
			key := newKey()
			s.put(t, key, entries(s.get(t, s.Store, key).Now(), lease)[state])
			s.Advance(t, lease+cache.KeepAfterLapse-moment)
			if got := s.get(t, s.Store, key); got.Entry.State != state {
				t.Errorf("shortly before, the entry is %s", got.Entry.State)
			}
			s.Advance(t, 2*moment)
			wantNothing(t, s.get(t, s.Store, key))
		})
	}
}
