package cachetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudmirror"
	"cloudmirror/cache"
)

func claimRace(t *testing.T, s suite) {
	const claimants = 100
	key := newKey()
	var (
		running sync.WaitGroup
		start   = make(chan struct{})
		won     atomic.Int32
		winner  atomic.Value
	)
	for i := range claimants {
		store, job := s.Store, cloudmirror.NewID()
		if i%2 == 1 {
			store = s.Peer
		}
		running.Go(func() {
			<-start
			var outcome cache.ClaimOutcome
			after, err := cache.Update(t.Context(), store, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
				e, outcome = e.Claim(now, job, cloudmirror.FirstGeneration, lease)
				return e, nil
			})
			switch {
			case err != nil:
				t.Errorf("claim: %v", err)
			case outcome == cache.ClaimWon:
				won.Add(1)
				winner.Store(job)
			case outcome != cache.ClaimPending || after.Entry.State != cache.Queued:
				t.Errorf("a loser sees outcome %v and state %s", outcome, after.Entry.State)
			}
		})
	}
	close(start)
	running.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of %d claims won", won.Load(), claimants)
	}
	if got := s.get(t, s.Store, key).Entry.Job; got != winner.Load() {
		t.Errorf("the stored job is %s, the winner's %v", got, winner.Load())
	}
}

func concurrentUpdates(t *testing.T, s suite) {
	const writers, each = 6, 40
	key := newKey()
	now := s.get(t, s.Store, key).Now()
	s.put(t, key, entries(now, life)[cache.Failed])
	var running sync.WaitGroup
	for i := range writers {
		store := s.Store
		if i%2 == 1 {
			store = s.Peer
		}
		running.Go(func() {
			for range each {
				err := cache.ErrContended
				for errors.Is(err, cache.ErrContended) {
					_, err = cache.Update(t.Context(), store, key, cache.Snapshot{}, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
						e.Tries++
						// Two writers would count to the same number; the id tells
						// their entries apart, as it does in every real transition.
						e.Job = cloudmirror.NewID()
						return e, nil
					})
				}
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	running.Wait()
	if got, want := s.get(t, s.Store, key).Entry.Tries, 1+writers*each; got != want {
		t.Errorf("%d updates are counted, want %d", got, want)
	}
}

// model runs random sequences on three keys and compares the store with a map
// of what was stored last.
func model(t *testing.T, s suite) {
	rapid.Check(t, func(r *rapid.T) {
		keys := []cache.Key{newKey(), newKey(), newKey()}
		stored := make(map[cache.Key]string) // the encoded entry; none: absent
		seen := make(map[cache.Key]cache.Snapshot)
		seenStored := make(map[cache.Key]string)
		key := rapid.SampledFrom(keys)
		store := rapid.SampledFrom([]cache.Store{s.Store, s.Peer})
		check := func(k cache.Key, got cache.Snapshot) {
			encoded := ""
			if got.Entry.State != cache.Absent {
				encoded = got.Entry.Encode()
			}
			if encoded != stored[k] {
				r.Fatalf("the store has %q, the model %q", encoded, stored[k])
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"get": func(r *rapid.T) {
				k := key.Draw(r, "key")
				got := s.get(r, store.Draw(r, "store"), k)
				check(k, got)
				seen[k], seenStored[k] = got, stored[k]
			},
			"swap": func(r *rapid.T) {
				k := key.Draw(r, "key")
				old, ok := seen[k]
				if !ok {
					r.Skip("nothing seen yet")
				}
				next, raw := cache.Entry{State: cache.Absent}, ""
				state := rapid.SampledFrom([]cache.State{cache.Queued, cache.Copying, cache.Present, cache.Absent}).Draw(r, "state")
				if state != cache.Absent {
					next = entries(old.Now(), life)[state]
					next.Copy.SHA256 = cloudmirror.NewID() // no two entries are the same
					raw = next.Encode()
				}
				want := seenStored[k] == stored[k] || stored[k] == raw // raw is new, or nothing
				if want {
					stored[k] = raw
				}
				check(k, s.swap(r, store.Draw(r, "store"), k, old, next, want))
			},
			"flush": func(*rapid.T) {
				s.Flush(t)
				clear(stored)
			},
		})
	})
}
