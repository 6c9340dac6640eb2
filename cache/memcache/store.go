package memcache

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"cloudmirror/cache"
)

// DefaultMaxEntries is the bound of a Store whose options name none. An entry
// takes about half a kilobyte.
const DefaultMaxEntries = 1_000_000

// Options configure a Store. The zero value is ready to use.
type Options struct {
	MaxEntries int              // 0: DefaultMaxEntries
	Now        func() time.Time // the store's clock; nil: time.Now
}

// A Store is a cache.Store in memory.
type Store struct {
	now      func() time.Time
	watchers cache.Watchers

	mu       sync.Mutex
	items    *simplelru.LRU[cache.Key, item]
	versions uint64 // of items made so far
}

var _ cache.Store = (*Store)(nil)

// An item is one stored entry.
type item struct {
	entry   cache.Entry
	version string    // never used before, so that a value that came back is not taken for the old one
	gone    time.Time // from when on the entry means nothing any more
}

// New returns an empty store.
func New(o Options) (*Store, error) {
	if o.MaxEntries == 0 {
		o.MaxEntries = DefaultMaxEntries
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{now: o.Now}
	// Every removal wakes the watchers: of an evicted entry they would otherwise
	// wait for a change that the store no longer sees.
	items, err := simplelru.NewLRU(o.MaxEntries, func(key cache.Key, _ item) { s.watchers.Notify(key) })
	if err != nil {
		return nil, fmt.Errorf("memcache: max entries %d: %w", o.MaxEntries, err)
	}
	s.items = items
	return s, nil
}

// Get implements cache.Store. It returns no error.
func (s *Store) Get(_ context.Context, key cache.Key) (cache.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return s.lookUp(key, now).snapshot(now), nil
}

// GetAll implements cache.Store.
func (s *Store) GetAll(_ context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	if err := cache.CheckKeys(keys); err != nil {
		return nil, fmt.Errorf("memcache: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	all := make([]cache.Snapshot, len(keys))
	for i, key := range keys {
		all[i] = s.lookUp(key, now).snapshot(now)
	}
	return all, nil
}

// Swap implements cache.Store. The error says that next is no valid entry.
func (s *Store) Swap(_ context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	kept, err := storable(next)
	if err != nil {
		return cache.Snapshot{}, false, fmt.Errorf("memcache: swap %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	gone := now.Add(kept.KeepFor(now))
	if !now.Before(gone) {
		kept = cache.Entry{State: cache.Absent}
	}
	current := s.lookUp(key, now)
	if current.version != old.Version() || now.Sub(old.Now()).Abs() > cache.MaxClockError {
		return current.snapshot(now), current.holds(kept), nil
	}
	if kept.State == cache.Absent {
		s.items.Remove(key)
		return item{}.snapshot(now), true, nil
	}
	s.versions++
	stored := item{entry: kept, version: strconv.FormatUint(s.versions, 36), gone: gone}
	s.items.Add(key, stored)
	s.watchers.Notify(key)
	return stored.snapshot(now), true, nil
}

// Watch implements cache.Store.
func (s *Store) Watch(key cache.Key) (changed <-chan struct{}, stop func()) {
	return s.watchers.Watch(key)
}

// Ping implements cache.Store. It returns no error.
func (s *Store) Ping(context.Context) error { return nil }

// Flush forgets everything.
func (s *Store) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items.Purge()
	s.watchers.NotifyAll()
}

// Len returns how many entries are stored, including those that ran out and
// were not asked for since.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items.Len()
}

// lookUp returns the item under key, or the zero item, and drops one that ran
// out.
func (s *Store) lookUp(key cache.Key, now time.Time) item {
	found, ok := s.items.Get(key)
	if ok && !now.Before(found.gone) {
		s.items.Remove(key)
		return item{}
	}
	return found
}

// snapshot shows the item at now; of the zero item, that nothing is stored.
func (i item) snapshot(now time.Time) cache.Snapshot {
	if i.version == "" {
		return cache.NewSnapshot(cache.Entry{State: cache.Absent}, "", now)
	}
	return cache.NewSnapshot(i.entry, i.version, now)
}

// holds reports whether a swap to e would change nothing, as when it is run
// again.
func (i item) holds(e cache.Entry) bool {
	if i.version == "" || e.State == cache.Absent {
		return i.version == "" && e.State == cache.Absent
	}
	return i.entry.Encode() == e.Encode()
}

// storable returns e as a store that keeps bytes would return it, so that no
// test in memory passes which would fail on a server.
func storable(e cache.Entry) (cache.Entry, error) {
	if e.State == cache.Absent {
		return cache.Entry{State: cache.Absent}, nil
	}
	return cache.Decode(e.Encode())
}
