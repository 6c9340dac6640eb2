package cache

import (
	"time"

	"cloudmirror"
)

// A State is one of the states that an entry can be in.
type State string

// The states of an entry. Clients see Reserved, Queued and Copying as pending,
// Tombstone, Fenced and Evicting as absent.
const (
	Absent    State = "absent"
	Reserved  State = "reserved" // claimed before storage was looked at
	Queued    State = "queued"
	Copying   State = "copying"
	Present   State = "present"
	Failed    State = "error"
	Tombstone State = "tombstone"
	Fenced    State = "fenced"   // a copy that storage has is about to be noted
	Evicting  State = "evicting" // a copy whose own expiry is over is being removed
)

// An Entry is what the cache knows of one copy. The zero Entry is not valid;
// an unknown copy is Entry{State: Absent}. Entries are values: the methods
// return changed ones and leave the receiver alone.
type Entry struct {
	State      State
	Generation cloudmirror.Generation // of the copy; with Tombstone, the first one that is valid again

	// Until is, on the store's clock: for Reserved, Queued and Copying the end of
	// the lease; for Present the time from which the copy may be gone; for Failed,
	// Tombstone, Fenced and Evicting the time from which the entry says nothing any
	// more.
	Until time.Time

	// PurgedUntil is when the life of the last purge's tombstone ends, on the
	// store's clock. Whatever follows on the tombstone keeps it: what would be
	// absent before then is the tombstone again. Zero: no purge is known.
	PurgedUntil time.Time

	Job     string // Reserved, Queued, Copying, Failed: the id of the job; Fenced, Evicting: an id of their own
	Nonce   string // Reserved: unlike that of any other record
	Attempt string // Copying: the id of the running attempt
	Tries   int    // tries that failed, or that were not ended, since the object was last absent

	// Queueing is, with Reserved and Queued, since when the job waits. It is nil if
	// an older release wrote the entry.
	Queueing *Queueing

	Copy     Copy       // Present: what is stored
	Progress Progress   // Copying: how far it is
	Failure  *FailedTry // Failed: why; Queued and Copying: why the last try failed, if one did
}

// A Copy describes a stored copy.
type Copy struct {
	SizeBytes int64
	SHA256    string // lower-case hexadecimal
	StoredAt  time.Time
}

// Progress tells how far a running copy is.
type Progress struct {
	DoneBytes  int64
	TotalBytes int64 // -1: the origin did not say
}

// A FailedTry is what an entry keeps of the failure of its last try.
type FailedTry struct {
	Code      cloudmirror.Code
	Message   string // for clients
	Cause     string // for operators, at most MaxCauseBytes
	Status    int    // the origin's, if it answered with an error
	Permanent bool
	RetryAt   time.Time // transient failures: when a claim may try again
}

// MaxCauseBytes is how much of the private error chain is kept with an entry.
const MaxCauseBytes = 4 << 10

// At returns the entry as it stands at now: what has run out is absent. Leases
// that lapsed stay, for a claim or an attempt to take over.
func (e Entry) At(now time.Time) Entry {
	switch e.State {
	case Present, Failed, Tombstone, Fenced, Evicting:
		if !now.Before(e.Until) {
			return e.remains(now)
		}
	case Absent, Reserved, Queued, Copying:
	}
	return e
}

// remains returns what is left when e says nothing any more: the tombstone of a
// purge that still has to be heeded, or nothing.
func (e Entry) remains(now time.Time) Entry {
	if !now.Before(e.PurgedUntil) {
		return Entry{State: Absent}
	}
	return Entry{State: Tombstone, Generation: e.Generation, Until: e.PurgedUntil, PurgedUntil: e.PurgedUntil}
}

// Lapsed reports whether the lease of a pending entry has run out.
func (e Entry) Lapsed(now time.Time) bool { return e.Pending() && !now.Before(e.Until) }

// Pending reports whether a job for the copy exists, or will in a moment: what
// clients wait for.
func (e Entry) Pending() bool { return e.Queues() || e.State == Copying }

// Known reports whether the entry tells of a copy, a job or a failure: all but
// absence and what fences it.
func (e Entry) Known() bool { return e.State == Present || e.State == Failed || e.Pending() }

// Queues reports whether a job for the copy exists, or will in a moment, that no
// copier has begun.
func (e Entry) Queues() bool { return e.State == Reserved || e.State == Queued }
