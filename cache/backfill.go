package cache

import (
	"time"

	"cloudmirror"
)

// Fence makes a record of an entry of which nothing is known, for a caller that is about
// to note a copy of generation g in it. Its id makes the record unlike any other: if it
// still stands later, the entry was neither purged nor flushed meanwhile, which absence
// cannot tell. Whatever else there is stays.
func (e Entry) Fence(now time.Time, id string, g cloudmirror.Generation, life time.Duration) Entry {
	if e = e.At(now); e.State != Absent {
		return e
	}
	return Entry{State: Fenced, Generation: g, Until: now.Add(life), Job: id}
}

// Unfence ends a fence for a generation that turned out not to be the current one.
// Whatever else there is stays.
func (e Entry) Unfence() Entry {
	if e.State != Fenced {
		return e
	}
	return Entry{State: Absent}
}

// Backfill notes a copy that storage was seen to have under generation g. It
// leaves alone what is present, what an attempt or an eviction with a valid lease is
// about, and what belongs to another generation: the look began before a purge then.
func (e Entry) Backfill(now time.Time, g cloudmirror.Generation, c Copy, expires time.Time) Entry {
	e = e.At(now)
	switch {
	case e.State == Present, e.State == Evicting, e.Pending() && !e.Lapsed(now):
		return e
	case e.State != Absent && e.Generation != g:
		return e
	}
	return Entry{State: Present, Generation: g, Until: expires, PurgedUntil: e.PurgedUntil, Copy: c}
}

// Lose forgets a copy of generation g that storage does not have any more, so that
// the next claim makes it again. A purge that still has to be heeded stays, as its
// tombstone. Whatever else there is stays.
func (e Entry) Lose(now time.Time, g cloudmirror.Generation) Entry {
	if e = e.At(now); e.State == Present && e.Generation == g {
		return e.remains(now)
	}
	return e
}
