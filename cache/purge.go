package cache

import (
	"time"

	"cloudmirror"
)

// Purge replaces whatever is known by a tombstone: for as long as it lives,
// only what belongs to generation g, which must be new, is accepted, whatever
// becomes of the entry meanwhile.
func (e Entry) Purge(now time.Time, g cloudmirror.Generation, life time.Duration) Entry {
	until := now.Add(life)
	return Entry{State: Tombstone, Generation: g, Until: until, PurgedUntil: until}
}
