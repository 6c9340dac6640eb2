package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/storage"
)

// An Eviction says what came of an Evict.
type Eviction int

// The outcomes of an eviction.
const (
	EvictionFailed Eviction = iota // there is an error: the copy may be there or not; evict again
	Evicted                        // storage has no copy of the current generation
	StillGood                      // storage has one whose own expiry is not over: it stays
	InUse                          // the cache knows a copy, a job or a failure, or fences the object: evict later
)

// Evict removes the copy of an object in a backend if its own expiry, as the storage
// tells it, is over: before the storage's lifecycle gets there. After Evicted no client
// is told of a copy that was made before. The error is ErrUnavailable.
//
// Its steps are ordered so that dying between any two of them is safe. First the entry
// becomes evicting, which only an entry that knows nothing can, and which keeps every
// attempt and every look of any process from noting a copy. Then the expiry is read:
// what stood there before may be newer by now. Then the bytes go, and the entry is
// cleared. If the process dies, the lease of the entry ends by itself. The bytes must
// be gone in half of that lease, so that a copy that is made after it is safe.
//
// A flush between these steps lets an attempt begin. Then the entry shows it, and the
// object is purged: its copy may be what was removed. If the storage does not say whether
// the bytes are gone, the object is purged as soon as the entry does not stand.
//
// Nothing but tests calls it yet: it is for the cleanup of popular objects.
func (en *Engine) Evict(ctx context.Context, w Want) (Eviction, error) {
	b, err := en.backend(w.Backend)
	if err != nil {
		return EvictionFailed, err
	}
	g, err := currentGeneration(ctx, en.timing.Purge, b, w.Object)
	if err != nil {
		return EvictionFailed, err
	}
	key, id, deadline := w.entryKey(), cloudmirror.NewID(), time.Now().Add(en.timing.Evict/2)
	at, _, err := en.update(ctx, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Evict(now, id, g, en.timing.Evict), nil
	})
	switch {
	case err != nil:
		return EvictionFailed, err
	case at.Entry.State != cache.Evicting || at.Entry.Job != id:
		return InUse, nil
	}
	removing, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	outcome, err := en.removeExpired(removing, b, w.Object, g)
	ctx = context.WithoutCancel(ctx)
	switch {
	case err == nil:
		err = en.endEviction(ctx, w, at.Entry, outcome)
	case outcome == Evicted: // the removal may be under way: the entry stands until its lease is over
		err = errors.Join(err, en.purgeUnlessEvicting(ctx, w, at.Entry))
	}
	if err != nil {
		return EvictionFailed, err
	}
	return outcome, nil
}

// removeExpired removes the bytes of a copy unless it is good. The storage says that a
// copy whose expiry is over does not exist. Evicted and an error mean that the bytes may
// be gone, or go later.
func (en *Engine) removeExpired(ctx context.Context, b *Backend, o cloudmirror.Object, g cloudmirror.Generation) (Eviction, error) {
	_, err := b.Storage.Stat(ctx, o.StorageKey(g))
	switch {
	case err == nil:
		return StillGood, nil
	case !errors.Is(err, storage.ErrNotExist):
		return EvictionFailed, fmt.Errorf("%w: read the expiry of the copy: %w", ErrUnavailable, err)
	}
	return Evicted, en.removeCopy(ctx, b, o, g)
}

// endEviction clears the entry as it stands: the lease may be over. If the eviction's
// record is gone, and an attempt of the same generation has followed on it, the object is
// purged.
func (en *Engine) endEviction(ctx context.Context, w Want, evicting cache.Entry, outcome Eviction) error {
	at, refused, err := en.updateUnguarded(ctx, w.entryKey(), cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.EndEviction(now, evicting.Job)
	})
	if err != nil {
		return err
	}
	e := at.Entry
	isCopy := e.Generation == evicting.Generation && (e.State == cache.Copying || e.State == cache.Present)
	if refused == nil || outcome != Evicted || !isCopy {
		return nil
	}
	_, err = en.Purge(ctx, w)
	return err
}

// purgeUnlessEvicting purges an object whose bytes may still be removed, unless the
// record of the eviction stands, which keeps attempts from beginning, or a purge came
// first.
func (en *Engine) purgeUnlessEvicting(ctx context.Context, w Want, evicting cache.Entry) error {
	at, err := en.cache.Store.Get(ctx, w.entryKey())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch e := at.Entry; {
	case e.State == cache.Evicting && e.Job == evicting.Job:
		return nil
	case e.State == cache.Absent, e.State == cache.Reserved: // of a generation that is not known yet
	case e.Generation != evicting.Generation:
		return nil
	}
	_, err = en.Purge(ctx, w)
	return err
}
