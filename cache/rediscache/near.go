package rediscache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror/cache"
)

const (
	nearShards = 64
	nearSlots  = 64 // in a shard
	// nearOverhead is what an entry takes beside its strings: the entry itself,
	// and its places in a list and a map.
	nearOverhead = 450
)

// A near keeps present entries in memory, and absences beside them (absence.go). It
// returns what the server held at some time of the last delta: it must have a proof
// that every change made before a moment, no longer ago than that, has been noted.
//
// The rule for callers: they call forget for each change that they hear of, in the
// order of the server, and forgetAll where they may have missed changes; prove only
// with a time before which no change is missing. They read what is to be kept after
// they called guard, on a connection to the server whose changes they hear.
type near struct {
	trust  time.Duration
	proof  atomic.Pointer[proof] // nil: none
	seed   maphash.Seed
	shards [nearShards]nearShard

	hits, misses, bypasses prometheus.Counter
}

type nearShard struct {
	mu      sync.Mutex
	present bounded[*cache.Entry]
	absent  bounded[absence]
	all     uint64            // how often all was forgotten
	some    [nearSlots]uint64 // how often a key of each slot was
}

// A proof says that all changes made before a time have been noted. The clock of
// processes stands still while a machine is suspended; the wall clock does not,
// but may be set: neither may say that the time is over.
type proof struct{ at, wall time.Time }

func (p *proof) holds(now time.Time, d time.Duration) bool {
	return now.Sub(p.at) < d && now.Round(0).Sub(p.wall) < d
}

// newNear returns an empty one. It trusts proofs a little shorter than delta:
// the clocks of processes that wait for delta to pass may be faster.
func newNear(maxBytes int64, delta time.Duration) *near {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "cloudmirror_near_cache_" + name + "_total", Help: help})
	}
	n := &near{
		trust: delta - delta/20, seed: maphash.MakeSeed(),
		hits:     counter("hits", "Look-ups that were answered from memory."),
		misses:   counter("misses", "Look-ups of what was not in memory."),
		bypasses: counter("bypasses", "Look-ups while memory was not to be trusted, since Redis' changes were not heard."),
	}
	for i := range n.shards {
		s := &n.shards[i]
		s.present.init(maxBytes/nearShards, nearBytes)
		s.absent.init(maxAbsentBytes/nearShards, absenceBytes)
	}
	return n
}

func nearBytes(key cache.Key, e *cache.Entry) int64 {
	return nearOverhead + int64(len(key)+len(e.Generation)+len(e.Copy.SHA256))
}

// register adds the metrics.
func (n *near) register(registerer prometheus.Registerer) error {
	gauge := func(name, help string, of func(*nearShard) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cloudmirror_near_cache_" + name, Help: help},
			func() float64 { return float64(n.sum(of)) })
	}
	for _, c := range []prometheus.Collector{
		n.hits, n.misses, n.bypasses,
		gauge("entries", "Entries in memory.", func(s *nearShard) int64 { return int64(s.present.items.Len()) }),
		gauge("bytes", "What the entries in memory take, about.", func(s *nearShard) int64 { return s.present.bytes }),
	} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (n *near) sum(of func(*nearShard) int64) (total int64) {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		total += of(s)
		s.mu.Unlock()
	}
	return total
}

// shard returns where a key is kept, and the slot that counts its changes.
func (n *near) shard(key cache.Key) (s *nearShard, slot uint64) {
	h := maphash.String(n.seed, string(key))
	return &n.shards[h%nearShards], h / nearShards % nearSlots
}

// recall returns the entry under key if it is kept and can be trusted; with orAbsent,
// also an absence that can be shown. The order is what counts: the proof is taken
// before the entry, so that it speaks of that, and the time after it, so that no pause
// between the two goes unnoticed.
func (n *near) recall(key cache.Key, c *clock, orAbsent bool) (cache.Recalled, bool) {
	proof := n.proof.Load()
	if proof == nil {
		n.bypasses.Inc()
		return cache.Recalled{}, false
	}
	s, _ := n.shard(key)
	var missing absence
	s.mu.Lock()
	found, _ := s.present.items.Get(key)
	if found == nil && orAbsent {
		missing, _ = s.absent.items.Get(key)
	}
	s.mu.Unlock()
	local := time.Now()
	if !proof.holds(local, n.trust) {
		n.bypasses.Inc()
		return cache.Recalled{}, false
	}
	now := c.at(local)
	switch {
	case found != nil && now.Before(found.Until):
	case found == nil && local.Before(missing.until):
		found = missing.entry
	default:
		n.misses.Inc()
		return cache.Recalled{}, false
	}
	n.hits.Inc()
	return cache.Recalled{Entry: found, Now: now}, true
}

// trusted reports whether there is a proof that holds.
func (n *near) trusted() bool {
	p := n.proof.Load()
	return p != nil && p.holds(time.Now(), n.trust)
}

// prove says that every change before a time has been noted; the zero time, that
// this is not known any more.
func (n *near) prove(at time.Time) {
	if at.IsZero() {
		n.proof.Store(nil)
		return
	}
	n.proof.Store(&proof{at: at, wall: at.Round(0)})
}

// A guard tells whether a key may have changed since it was made.
type guard struct {
	shard   *nearShard
	slot    uint64
	changes uint64
}

func (n *near) guard(key cache.Key) guard {
	s, slot := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return guard{shard: s, slot: slot, changes: s.all + s.some[slot]}
}

// isCurrent reports whether the key has not changed since. The caller holds the
// shard's lock.
func (g guard) isCurrent() bool { return g.shard.all+g.shard.some[g.slot] == g.changes }

// keep keeps a present entry that was read after the guard was made, unless the
// key may have changed since.
func (n *near) keep(key cache.Key, e cache.Entry, g guard) {
	if e.State != cache.Present {
		return
	}
	e.State = cache.Present // the constant's memory, not what was read
	s := g.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.isCurrent() {
		s.present.put(key, &e)
	}
}

func (n *near) forget(key cache.Key) {
	s, slot := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.some[slot]++
	s.present.items.Remove(key)
	s.absent.items.Remove(key)
}

func (n *near) forgetAll() {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		s.all++
		s.present.items.Purge()
		s.absent.items.Purge()
		s.mu.Unlock()
	}
}
