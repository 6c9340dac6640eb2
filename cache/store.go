package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudmirror"
)

// A Key names the entry of one object in one backend. Its text carries the
// object's hash as a Redis Cluster hash tag, so that all regions of an object
// are in one slot: `{<hash>}:<service>:<region>`.
type Key string

// KeyOf returns the key of an object's entry in a backend.
func KeyOf(o cloudmirror.Object, b cloudmirror.BackendID) Key {
	return Key("{" + o.Hash() + "}:" + b.Service + ":" + b.Region)
}

// MaxKeys is how many keys GetAll reads at most. Services have fewer regions, and a
// driver can send as many reads at once.
const MaxKeys = 64

// CheckKeys returns why a driver's GetAll must refuse the keys, or nil.
func CheckKeys(keys []Key) error {
	if len(keys) > MaxKeys {
		return fmt.Errorf("cache: %d keys are read at once, at most %d may be", len(keys), MaxKeys)
	}
	for _, key := range keys {
		if key.hashTag() != keys[0].hashTag() {
			return fmt.Errorf("cache: the keys %s and %s are read at once, and are of different objects", keys[0], key)
		}
	}
	return nil
}

// hashTag returns the beginning of a key that it shares with the other keys of its
// object.
func (k Key) hashTag() Key {
	tag, _, _ := strings.Cut(string(k), "}")
	return Key(tag)
}

// A Store keeps entries, all of one deployment. It is the contract that each
// driver fulfils and that cachetest checks, sentence by sentence.
//
// A Store may lose entries at any time. It never makes one up, and it is safe
// for concurrent use. Errors mean that the store cannot be reached or broke;
// absence, conflicts and values that cannot be read are no errors.
type Store interface {
	// Get returns what is stored under key. A value that cannot be read, or
	// nothing, gives an absent entry.
	Get(ctx context.Context, key Key) (Snapshot, error)

	// GetAll returns a snapshot for each of the keys, in their order, as Get would, in
	// one round trip. All are taken at one time of the store's clock; other callers
	// may change entries between the reads of two. It is for the entries of one object:
	// more than MaxKeys keys, and keys of different objects, are an error.
	GetAll(ctx context.Context, keys []Key) ([]Snapshot, error)

	// Swap stores next under key if what is stored is still what old saw, and
	// reports whether it did; an absent next removes the entry. It also refuses
	// if the time of old is more than MaxClockError away from the store's clock,
	// so that no entry carries the time of a skewed host. If next is what is
	// stored already, it reports that it did: a swap whose answer was lost may
	// have to be run again, and ids in the entry tell callers apart. Either way the
	// snapshot shows what is stored now, at the store's time. The key's entry
	// vanishes by itself once it cannot mean anything any more.
	Swap(ctx context.Context, key Key, old Snapshot, next Entry) (Snapshot, bool, error)

	// Watch returns a channel that gets a value after every change of the entry
	// under key, by any process, flushes included. A change that was made with
	// knowledge of the one before gets a value of its own, so that changes which
	// are expected can be counted; of more than MaxUntold that are not read
	// some are joined. Values may come without a change. A flush fills the channel,
	// and so does a driver that has lost touch with its server and is in touch
	// again. A caller that registers first and gets afterwards misses no change, but for
	// those that a broken connection hides: poll slowly beside it. Call stop when
	// done; it does not block.
	Watch(key Key) (changed <-chan struct{}, stop func())

	// Ping reports whether the store can be reached and takes changes.
	Ping(ctx context.Context) error
}

// MaxClockError is how far the time that a change was computed for may be from
// the store's clock.
const MaxClockError = time.Second

// A Snapshot is what a store held at a moment, and the store's clock at that
// moment. The zero Snapshot is not valid.
type Snapshot struct {
	Entry Entry

	version string    // how the driver recognises the stored value; "": nothing is stored
	time    time.Time // the store's clock when the snapshot was taken
	taken   time.Time // our clock, monotonic, at that moment
}

// NewSnapshot makes a snapshot for a driver: the entry, the driver's name for the
// very value that holds it ("" for none) and the store's clock now.
func NewSnapshot(e Entry, version string, storeTime time.Time) Snapshot {
	return Snapshot{Entry: e.At(storeTime), version: version, time: storeTime, taken: time.Now()}
}

// Version returns what NewSnapshot was given.
func (s Snapshot) Version() string { return s.version }

// Taken returns when the snapshot was taken, by the clock of this process.
func (s Snapshot) Taken() time.Time { return s.taken }

// Now returns the store's clock as it stands now, by the time that has passed
// here since the snapshot was taken.
func (s Snapshot) Now() time.Time { return s.time.Add(time.Since(s.taken)) }

// A Recalled entry is one that a process remembers, and that was stored, or absent,
// not long ago. It is no base for changes.
type Recalled struct {
	Entry *Entry    // never changed; it says something now
	Now   time.Time // the store's clock
}

// A Change is a transition of an entry at a time of the store's clock. It must
// be pure: Update may call it several times. An error leaves the entry alone.
type Change func(e Entry, now time.Time) (Entry, error)

// ErrContended says that an entry changed each time that an update was tried.
var ErrContended = errors.New("cache: too many concurrent changes of one entry")

// maxSwaps bounds the tries of one update. Each failed try means that another
// change succeeded, and an entry sees only a handful in its life.
const maxSwaps = 16

// Update applies a change to the entry under key and returns the snapshot after
// it. It begins with the snapshot from, which saves a round trip if it is still
// right, or with a Get if from is the zero Snapshot. If the change returns an
// error, that is returned, with the snapshot that it refused. A change that
// returns the entry as it was writes nothing.
func Update(ctx context.Context, s Store, key Key, from Snapshot, change Change) (Snapshot, error) {
	at, err := from, error(nil)
	if from.taken.IsZero() {
		if at, err = s.Get(ctx, key); err != nil {
			return Snapshot{}, err
		}
	}
	for range maxSwaps {
		now := at.Now()
		before := at.Entry.At(now)
		next, err := change(before, now)
		if err != nil {
			return at, err
		}
		next = next.At(now) // what is over already is not stored
		if next == before {
			if from.taken.IsZero() || at.taken != from.taken {
				return at, nil
			}
			// Nothing to write, but the caller's snapshot may be old.
			from = Snapshot{}
			if at, err = s.Get(ctx, key); err != nil {
				return Snapshot{}, err
			}
			continue
		}
		current, swapped, err := s.Swap(ctx, key, at, next)
		if err != nil {
			return Snapshot{}, err
		}
		if swapped {
			return current, nil
		}
		at = current
	}
	return at, fmt.Errorf("%w: %s", ErrContended, key)
}
