package cache

import (
	"time"

	"cloudmirror"
)

// Reserve claims an object of which nothing is known, before storage is looked
// at. Whatever else there is stays. The nonce makes the record unlike any
// other: as long as one with that nonce stands, the object was neither purged nor
// flushed, which absence cannot tell, so that what storage says meanwhile is newer
// than every purge that returned. Adopt, Discover or Release must follow. Lease
// covers the look and the wait in the queue.
func (e Entry) Reserve(now time.Time, job, nonce string, lease time.Duration) Entry {
	if e = e.At(now); e.State != Absent {
		return e
	}
	return Entry{
		State: Reserved, Generation: cloudmirror.FirstGeneration, Until: now.Add(lease), Job: job, Nonce: nonce,
		Queueing: &Queueing{Since: now},
	}
}

// IsReserved reports whether e is a reservation with that nonce.
func (e Entry) IsReserved(nonce string) bool {
	return e.State == Reserved && e.Nonce == nonce
}

// Adopt gives a reservation the generation that is current by storage's account.
// The error is ErrNotHolder if it does not stand any more.
func (e Entry) Adopt(nonce string, g cloudmirror.Generation) (Entry, error) {
	if !e.IsReserved(nonce) {
		return e, ErrNotHolder
	}
	e.Generation = g
	return e, nil
}

// Discover ends a reservation with a copy of the current generation that storage
// turned out to have, and which may be gone from expires on. The error is
// ErrNotHolder if the reservation does not stand any more.
func (e Entry) Discover(nonce string, g cloudmirror.Generation, c Copy, expires time.Time) (Entry, error) {
	if !e.IsReserved(nonce) {
		return e, ErrNotHolder
	}
	return Entry{State: Present, Generation: g, Until: expires, Copy: c}, nil
}
