package rediscache

import (
	"time"

	"cloudmirror/cache"
)

const (
	// absenceLife is for how long an absence is shown after it was noted.
	absenceLife = time.Second
	// maxAbsentBytes bounds the absences of a process. They have a bound of their own, so
	// that clients that ask for URLs at random evict no present entry. It is about 7,000
	// absences: in the second for which one is shown, the 64 looks at storage that are
	// under way in a backend find as many if each takes 9 ms.
	maxAbsentBytes = 4 << 20
	// absenceOverhead is what an absence takes beside its strings, as nearOverhead.
	absenceOverhead = 500
)

// An absence is a key under which Redis holds no entry that says anything of a copy. It
// is shown if storage was found to have no copy either, after the key was read.
type absence struct {
	read  time.Time    // when the key was, or later
	entry *cache.Entry // what is shown
	until time.Time    // until when; the zero time: storage was not asked yet
}

func absenceBytes(key cache.Key, a absence) int64 {
	n := absenceOverhead + int64(len(key))
	if a.entry != nil {
		n += int64(len(a.entry.Generation))
	}
	return n
}

// keepAbsence keeps that the entry under key told of nothing, as read after
// the guard was made, unless the key may have changed since. It is not shown yet.
func (n *near) keepAbsence(key cache.Key, at cache.Snapshot, g guard) {
	if at.Entry.Known() {
		return
	}
	s := g.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	// An absence that is kept already is still true, and stays: in its place, this one
	// would make void the looks of callers that read the key between the two.
	if !g.isCurrent() || s.absent.items.Contains(key) {
		return
	}
	s.absent.put(key, absence{read: at.Taken()})
}

// noteAbsent has an absence shown as entry e. The caller read the key when at was taken
// and has found nothing in storage since. It does nothing if the absence was kept later
// than that, as what came between is not known, or if the key has changed since.
func (n *near) noteAbsent(key cache.Key, at cache.Snapshot, e cache.Entry) {
	s, _ := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.absent.items.Peek(key)
	if !ok || at.Taken().Before(kept.read) {
		return
	}
	s.absent.put(key, absence{read: kept.read, entry: &e, until: time.Now().Add(absenceLife)})
}
