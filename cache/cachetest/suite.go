package cachetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
)

// patience bounds the wait for what must happen; it is long because machines
// that run tests stall.
const patience = 10 * time.Second

// A Harness is a store to be tested, for one test.
type Harness struct {
	// Store is the store. It need not be empty: each test uses keys of its own.
	Store cache.Store
	// Peer is another client of the same store, as another process would have
	// it; where a store is of one process, it is the Store itself.
	Peer cache.Store
	// Advance moves the store's clock on, or waits. It skips the test, with the
	// reason, if the driver can do neither for so long.
	Advance func(t *testing.T, d time.Duration)
	// Flush removes everything behind the store's back.
	Flush func(t *testing.T)
	// Plant writes a raw value under the key behind the store's back. Nil: the
	// driver keeps no raw values, as NoPlant says.
	Plant   func(t *testing.T, key cache.Key, raw string)
	NoPlant string
}

// A suite is the harness within one test.
type suite struct {
	Harness
}

// Run tests a driver. Open is called anew for each test.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for _, test := range []struct {
		phrase string
		run    func(t *testing.T, s suite)
	}{
		{"nothing stored reads as absent", getAbsent},
		{"every kind of entry reads as it was stored", getStored},
		{"an unreadable value reads as absent and can be swapped away", getUnreadable},
		{"ping succeeds", ping},

		{"many keys read in their order, what is absent among them as absent", getAllInOrder},
		{"no keys read as no snapshots", getAllOfNone},
		{"unreadable values among many keys read as absent and can be swapped away", getAllUnreadable},
		{"what many keys read as can be swapped", getAllSwaps},
		{"many keys read at one time of the store's clock", getAllAtOneTime},
		{"64 keys are read at once, and more are refused", getAllOfTooMany},
		{"keys of different objects are refused", getAllOfDifferentObjects},

		{"a swap takes place if nothing changed since", swapWins},
		{"a swap from an old snapshot is refused", swapFromOldSnapshot},
		{"a swap of an entry that vanished is refused", swapOfVanished},
		{"a swap to absent removes the entry", swapRemoves},
		{"a swap that is run again succeeds again", swapTwice},
		{"a swap at the time of a skewed host is refused", swapSkewed},
		{"a swap with a small clock error takes place", swapSlightlySkewed},
		{"snapshots show the store's time", storeTime},

		{"entries vanish when they say nothing any more", vanish},
		{"an entry that is past its time is not stored", storePastEntry},
		{"a lapsed lease can be taken over", takeOver},
		{"a pending entry vanishes an hour after its lease", vanishPending},

		{"a watcher learns of every change", watchChanges},
		{"a watcher learns of changes by others", watchPeer},
		{"changes that follow on each other are told one by one", watchOneByOne},
		{"a watcher learns of a flush, as of many changes", watchFlush},
		{"a watcher learns of a value written by hand", watchPlanted},
		{"who registers first and gets afterwards misses nothing", watchThenGet},
		{"stop does not block and stops nobody else", stopWatching},
		{"a watcher that does not read holds nobody up", unreadWatcher},

		{"one of a hundred claims wins", claimRace},
		{"no update is lost among concurrent ones", concurrentUpdates},
		{"a sequence of operations does what a map would do", model},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			test.run(t, suite{Harness: open(t)})
		})
	}
}

// newKey returns a key that no other test uses.
func newKey() cache.Key { return newKeys(1)[0] }

// newKeys returns keys of one object that no other test uses.
func newKeys(n int) []cache.Key {
	object, err := cloudmirror.ParseObject("https://origin.example/" + cloudmirror.NewID())
	if err != nil {
		panic(err) // the URL above is valid
	}
	keys := make([]cache.Key, n)
	for i := range keys {
		keys[i] = cache.KeyOf(object, cloudmirror.BackendID{Service: "s3", Region: fmt.Sprintf("eu-west-%d", i+1)})
	}
	return keys
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Context() context.Context
	Helper()
	Fatalf(format string, args ...any)
}

func (s suite) get(t tester, store cache.Store, key cache.Key) cache.Snapshot {
	t.Helper()
	snapshot, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return snapshot
}

// swap fails the test unless the result is as wanted.
func (s suite) swap(t tester, store cache.Store, key cache.Key, old cache.Snapshot, next cache.Entry, want bool) cache.Snapshot {
	t.Helper()
	snapshot, swapped, err := store.Swap(t.Context(), key, old, next)
	if err != nil {
		t.Fatalf("swap to %s: %v", next.State, err)
	}
	if swapped != want {
		t.Fatalf("swap to %s: swapped is %t, want %t; stored is %s", next.State, swapped, want, snapshot.Entry.State)
	}
	return snapshot
}

// put stores an entry under a key that holds nothing.
func (s suite) put(t *testing.T, key cache.Key, next cache.Entry) cache.Snapshot {
	t.Helper()
	return s.swap(t, s.Store, key, s.get(t, s.Store, key), next, true)
}

// wantStored checks that a snapshot shows the entry, as far as it is kept.
func wantStored(t *testing.T, got cache.Snapshot, want cache.Entry) {
	t.Helper()
	kept, err := cache.Decode(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, got.Entry); diff != "" {
		t.Errorf("the entry is not the stored one (-want +got):\n%s", diff)
	}
	if got.Version() == "" {
		t.Error("the snapshot's version says that nothing is stored")
	}
}

func wantNothing(t *testing.T, got cache.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(cache.Entry{State: cache.Absent}, got.Entry); diff != "" {
		t.Errorf("the entry is not absent (-want +got):\n%s", diff)
	}
	if got.Version() != "" {
		t.Errorf("the version is %q, so something is stored still", got.Version())
	}
}

// entries returns one entry of each kind, whose time is life after now.
func entries(now time.Time, life time.Duration) map[cache.State]cache.Entry {
	job, attempt := cloudmirror.NewID(), cloudmirror.NewID()
	until := now.Add(life)
	failure := &cache.FailedTry{
		Code: cloudmirror.CodeOriginStatus, Message: "The origin said 404.", Cause: "GET: 404", Status: 404, Permanent: true,
	}
	return map[cache.State]cache.Entry{
		cache.Queued: {State: cache.Queued, Generation: "0", Until: until, Job: job, Tries: 2, Failure: &cache.FailedTry{
			Code: cloudmirror.CodeOriginTimeout, Message: "The origin was too slow.", RetryAt: now,
		}, Queueing: &cache.Queueing{Since: now, DelayedTo: until}},
		cache.Copying: {
			State: cache.Copying, Generation: "0", Until: until, Job: job, Attempt: attempt,
			Progress: cache.Progress{DoneBytes: 7, TotalBytes: -1},
		},
		cache.Present: {State: cache.Present, Generation: "0", Until: until, Copy: cache.Copy{
			SizeBytes: 5, SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", StoredAt: now,
		}},
		cache.Failed:    {State: cache.Failed, Generation: "0", Until: until, Job: job, Tries: 1, Failure: failure},
		cache.Tombstone: {State: cache.Tombstone, Generation: cloudmirror.NewGeneration(), Until: until},
	}
}

func ping(t *testing.T, s suite) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
}
