package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
)

// spied counts the calls of a store, lets a test act before each swap, and fails
// when told to.
type spied struct {
	cache.Store
	gets, swaps     int
	getErr, swapErr error
	beforeSwap      func()
}

func (s *spied) Get(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	if s.gets++; s.getErr != nil {
		return cache.Snapshot{}, s.getErr
	}
	return s.Store.Get(ctx, key)
}

func (s *spied) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	if s.beforeSwap != nil {
		s.beforeSwap()
	}
	if s.swaps++; s.swapErr != nil {
		return cache.Snapshot{}, false, s.swapErr
	}
	return s.Store.Swap(ctx, key, old, next)
}

const updateKey cache.Key = "{hash}:s3:eu-west-1"

func spy(t *testing.T) *spied {
	t.Helper()
	store, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &spied{Store: store}
}

// queue is a change to an entry that is queued for the job.
func queue(job string) cache.Change {
	return func(_ cache.Entry, now time.Time) (cache.Entry, error) {
		return cache.Entry{State: cache.Queued, Generation: "0", Until: now.Add(time.Minute), Job: job}, nil
	}
}

func TestUpdateStoresTheChange(t *testing.T) {
	store := spy(t)
	got, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, queue("job"))
	if err != nil || got.Entry.Job != "job" {
		t.Fatalf("the entry is %+v, error %v", got.Entry, err)
	}
	if store.gets != 1 || store.swaps != 1 {
		t.Errorf("%d gets and %d swaps, want one of each", store.gets, store.swaps)
	}
}

func TestUpdateFromASnapshotNeedsNoGet(t *testing.T) {
	store := spy(t)
	from, err := store.Store.Get(t.Context(), updateKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Update(t.Context(), store, updateKey, from, queue("job")); err != nil {
		t.Fatal(err)
	}
	if store.gets != 0 || store.swaps != 1 {
		t.Errorf("%d gets and %d swaps, want one swap", store.gets, store.swaps)
	}
}

func TestUpdateAppliesTheChangeAnewToWhatWonMeanwhile(t *testing.T) {
	store := spy(t)
	store.beforeSwap = func() {
		store.beforeSwap = nil
		if _, err := cache.Update(t.Context(), store.Store, updateKey, cache.Snapshot{}, queue("winner")); err != nil {
			t.Error(err)
		}
	}
	var saw []string
	got, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		saw = append(saw, e.Job)
		e, _ = queue(e.Job+"+")(e, now)
		return e, nil
	})
	if err != nil || got.Entry.Job != "winner+" {
		t.Errorf("the job is %q, error %v", got.Entry.Job, err)
	}
	if len(saw) != 2 || saw[0] != "" || saw[1] != "winner" {
		t.Errorf("the change saw %q", saw)
	}
	if store.gets != 1 {
		t.Errorf("%d gets, want one: a refused swap shows what is stored", store.gets)
	}
}

func TestUpdateGivesUpWhenOthersAlwaysWin(t *testing.T) {
	store := spy(t)
	others := 0
	store.beforeSwap = func() {
		others++
		if _, err := cache.Update(t.Context(), store.Store, updateKey, cache.Snapshot{}, queue(time.Now().String())); err != nil {
			t.Error(err)
		}
	}
	_, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, queue("loser"))
	if !errors.Is(err, cache.ErrContended) {
		t.Errorf("the error is %v, want ErrContended", err)
	}
	if others != store.swaps || others < 2 || others > 100 {
		t.Errorf("it gave up after %d swaps", others)
	}
}

func TestUpdateReturnsWhatTheChangeRefused(t *testing.T) {
	store := spy(t)
	if _, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, queue("job")); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("no")
	got, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e, refusal
	})
	if !errors.Is(err, refusal) || got.Entry.Job != "job" || store.swaps != 1 {
		t.Errorf("the entry is %+v after %d swaps, error %v", got.Entry, store.swaps, err)
	}
}

func TestUpdateWritesNothingWithoutAChange(t *testing.T) {
	same := func(e cache.Entry, _ time.Time) (cache.Entry, error) { return e, nil }
	store := spy(t)
	got, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, same)
	if err != nil || got.Entry.State != cache.Absent || store.gets != 1 || store.swaps != 0 {
		t.Errorf("the entry is %+v after %d gets and %d swaps, error %v", got.Entry, store.gets, store.swaps, err)
	}
}

func TestUpdateTrustsNoOldSnapshotThatNothingIsToBeDone(t *testing.T) {
	store := spy(t)
	old, err := store.Store.Get(t.Context(), updateKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Update(t.Context(), store.Store, updateKey, cache.Snapshot{}, queue("job")); err != nil {
		t.Fatal(err)
	}
	// The old snapshot says that the entry is gone already.
	got, err := cache.Update(t.Context(), store, updateKey, old, func(cache.Entry, time.Time) (cache.Entry, error) {
		return cache.Entry{State: cache.Absent}, nil
	})
	if err != nil || got.Entry.State != cache.Absent {
		t.Errorf("the entry is %+v, error %v", got.Entry, err)
	}
	if now, err := store.Store.Get(t.Context(), updateKey); err != nil || now.Entry.State != cache.Absent {
		t.Errorf("stored is %+v, error %v", now.Entry, err)
	}
}

func TestUpdateGivesTheChangeTheStoresTime(t *testing.T) {
	ahead := 5 * time.Hour
	store, err := memcache.New(memcache.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	var now time.Time
	if _, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, func(e cache.Entry, at time.Time) (cache.Entry, error) {
		now = at
		return e, nil
	}); err != nil {
		t.Fatal(err)
	}
	if off := time.Until(now) - ahead; off.Abs() > time.Minute {
		t.Errorf("the change's time is %v off the store's", off)
	}
}

func TestUpdateShowsTheChangeNothingThatRanOut(t *testing.T) {
	store := spy(t)
	at, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, func(_ cache.Entry, now time.Time) (cache.Entry, error) {
		return cache.Entry{State: cache.Present, Generation: "0", Until: now.Add(20 * time.Millisecond)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(40 * time.Millisecond) // the snapshot's clock is the real one
	if _, err := cache.Update(t.Context(), store, updateKey, at, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		if e.State != cache.Absent {
			t.Errorf("the change sees %s", e.State)
		}
		return queue("job")(e, now)
	}); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateReturnsTheStoresErrors(t *testing.T) {
	broken := errors.New("broken")
	store := spy(t)
	store.getErr = broken
	if _, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, queue("job")); !errors.Is(err, broken) {
		t.Errorf("get: the error is %v", err)
	}
	store.getErr, store.swapErr = nil, broken
	if _, err := cache.Update(t.Context(), store, updateKey, cache.Snapshot{}, queue("job")); !errors.Is(err, broken) {
		t.Errorf("swap: the error is %v", err)
	}
	if store.swaps != 1 {
		t.Errorf("a swap that failed was tried %d times", store.swaps)
	}
}
