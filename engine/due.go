package engine

import (
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"cloudmirror/cache"
)

const (
	dueSets = 1 << 14
	dueWays = 4
	dueBits = 42 // of milliseconds since 1970: until the year 2109
	dueMask = 1<<dueBits - 1
)

// dueTimes remembers for up to 65,536 copies when each is to be looked at again, in
// half a MiB. Every hit asks it, so it takes no locks and allocates nothing: each time
// is one word, in one of the four places that the hash of its key leads to, and the
// rest of the hash stands in front of it. In a set that is full, the copy that is due
// first is forgotten, and so is due at once. One copy in a million is taken for
// another, and is due as late as that.
//
// Times are those of the cache, as in entries. If its clock is set back, copies are
// due later by as much.
type dueTimes struct {
	seed maphash.Seed
	sets [dueSets][dueWays]atomic.Uint64
}

func newDueTimes() *dueTimes { return &dueTimes{seed: maphash.MakeSeed()} }

// find returns where the time of a key is kept, and what stands in front of it.
func (d *dueTimes) find(key cache.Key) (set *[dueWays]atomic.Uint64, tag uint64) {
	h := maphash.String(d.seed, string(key))
	return &d.sets[h%dueSets], h >> dueBits
}

// isDue reports whether a copy is due at now: its time has come, or none is known.
func (d *dueTimes) isDue(key cache.Key, now time.Time) bool {
	set, tag := d.find(key)
	for i := range set {
		if word := set[i].Load(); word>>dueBits == tag && word&dueMask > dueTime(now) {
			return false
		}
	}
	return true
}

// set makes a copy due at a time.
func (d *dueTimes) set(key cache.Key, at time.Time) {
	set, tag := d.find(key)
	place, first := 0, uint64(math.MaxUint64)
	for i := range set {
		word := set[i].Load()
		if word>>dueBits == tag {
			place = i
			break
		}
		if due := word & dueMask; due < first {
			place, first = i, due
		}
	}
	set[place].Store(tag<<dueBits | dueTime(at))
}

func dueTime(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) & dueMask } //nolint:gosec // not negative
