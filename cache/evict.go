package cache

import (
	"time"

	"cloudmirror"
)

// Evict takes an entry that knows nothing for an eviction, which removes a copy of
// generation g whose own expiry is over. The id makes the record unlike any other.
// While it stands, no attempt can begin or complete, and no copy can be noted: claims
// and starts are told to wait. EndEviction ends it, or else its lease does; then the
// entry is absent. Purge replaces it at once. Whatever else there is stays.
//
// A release that does not know this state reads it as absent. Beside such a release,
// an eviction can remove a copy that it made meanwhile, and clients are sent to
// nothing until a recheck finds out: upgrade all processes before one evicts.
func (e Entry) Evict(now time.Time, id string, g cloudmirror.Generation, lease time.Duration) Entry {
	if e = e.At(now); e.State != Absent {
		return e
	}
	return Entry{State: Evicting, Generation: g, Until: now.Add(lease), Job: id}
}

// EndEviction makes the entry of an eviction absent. The error is ErrNotHolder if it
// does not stand any more.
func (e Entry) EndEviction(now time.Time, id string) (Entry, error) {
	if e = e.At(now); e.State != Evicting || e.Job != id {
		return e, ErrNotHolder
	}
	return Entry{State: Absent}, nil
}
