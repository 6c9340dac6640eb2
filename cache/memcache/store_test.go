package memcache_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudmirror/cache"
	"cloudmirror/cache/cachetest"
	"cloudmirror/cache/memcache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock is the real one, moved ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(_ *testing.T, d time.Duration) { c.ahead.Add(int64(d)) }

func open(t testing.TB, o memcache.Options) *memcache.Store {
	t.Helper()
	store, err := memcache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cachetest.Harness {
		clock := new(clock)
		store := open(t, memcache.Options{Now: clock.now})
		return cachetest.Harness{
			Store: store, Peer: store, Advance: clock.advance,
			Flush:   func(*testing.T) { store.Flush() },
			NoPlant: "memcache keeps no raw values: nobody else can write any",
		}
	})
}

func present(until time.Time) cache.Entry {
	return cache.Entry{State: cache.Present, Generation: "0", Until: until}
}

func put(t testing.TB, store *memcache.Store, key cache.Key, e cache.Entry) {
	t.Helper()
	old, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, swapped, err := store.Swap(t.Context(), key, old, e); err != nil || !swapped {
		t.Fatalf("swap: swapped is %t, error %v", swapped, err)
	}
}

func TestFullStoreForgetsWhatWasNotUsedLongest(t *testing.T) {
	store := open(t, memcache.Options{MaxEntries: 3})
	until := time.Now().Add(time.Hour)
	for i := range 3 {
		put(t, store, cache.Key(fmt.Sprint(i)), present(until))
	}
	get := func(key cache.Key) cache.State {
		got, err := store.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return got.Entry.State
	}
	get("0")
	changed, stop := store.Watch("1")
	defer stop()

	put(t, store, "3", present(until))
	for key, want := range map[cache.Key]cache.State{
		"0": cache.Present, "1": cache.Absent, "2": cache.Present, "3": cache.Present,
	} {
		if got := get(key); got != want {
			t.Errorf("entry %s is %s, want %s", key, got, want)
		}
	}
	if store.Len() != 3 {
		t.Errorf("%d entries are stored, want 3", store.Len())
	}
	select {
	case <-changed:
	default:
		t.Error("the watcher of the evicted entry was not woken")
	}
}

func TestEntryThatRanOutIsDroppedWhenSeen(t *testing.T) {
	clock := new(clock)
	store := open(t, memcache.Options{Now: clock.now})
	put(t, store, "key", present(clock.now().Add(time.Minute)))
	clock.advance(t, time.Hour)
	if _, err := store.Get(t.Context(), "key"); err != nil || store.Len() != 0 {
		t.Errorf("%d entries are stored, error %v", store.Len(), err)
	}
}

func TestEntryThatWouldNotReadBackIsAnError(t *testing.T) {
	store := open(t, memcache.Options{})
	old, err := store.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	nameless := cache.Entry{State: cache.Present, Until: time.Now().Add(time.Hour)} // no generation
	if _, swapped, err := store.Swap(t.Context(), "key", old, nameless); err == nil || swapped {
		t.Errorf("swapped is %t, error %v", swapped, err)
	}
}

func TestNegativeBoundIsAnError(t *testing.T) {
	if _, err := memcache.New(memcache.Options{MaxEntries: -1}); err == nil {
		t.Error("a store for -1 entries was made")
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	store := open(t, memcache.Options{})
	put(t, store, "key", present(time.Now().Add(time.Hour)))
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = store.Get(ctx, "key") }); n > 0 {
		t.Errorf("a get allocates %v times", n)
	}
}

func BenchmarkGet(b *testing.B) {
	store := open(b, memcache.Options{})
	put(b, store, "key", present(time.Now().Add(time.Hour)))
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = store.Get(ctx, "key")
		}
	})
}

func BenchmarkSwap(b *testing.B) {
	store := open(b, memcache.Options{})
	ctx := b.Context()
	until := time.Now().Add(time.Hour)
	old, _ := store.Get(ctx, "key")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		old, _, _ = store.Swap(ctx, "key", old, present(until.Add(time.Duration(i)*time.Millisecond)))
	}
}
