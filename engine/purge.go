package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/storage"
)

// Purge forgets an object in a backend: its entry and its copy. When it returns
// nil, no copy that was made, begun or looked at before can be handed out again,
// by any process of the deployment. On ErrUnavailable the object may be purged or
// not: purge again.
//
// Found says that the object had a copy, one under way, or a failure that was
// remembered. If there was nothing, it is purged all the same. Purge also removes the
// copies of the generations listed in also, current or not.
//
// Its steps are ordered so that dying between any two of them is safe: first
// the durable marker makes a new generation current, so that every look at
// storage passes over older copies; then the tombstone fences the entry against
// everything begun before; then what other processes remember comes to its end;
// then the bytes go, to which no client is sent any more.
func (en *Engine) Purge(ctx context.Context, w Want, also ...cloudmirror.Generation) (found bool, err error) {
	b, err := en.backend(w.Backend)
	if err != nil {
		return false, err
	}
	old, err := currentGeneration(ctx, en.timing.Purge, b, w.Object)
	if err != nil {
		return false, err
	}
	if err := en.writeMarker(ctx, b, w.Object, cloudmirror.NewGeneration()); err != nil {
		return false, err
	}
	entry, err := en.writeTombstone(ctx, b, w)
	if err != nil {
		return false, err
	}
	if pause(ctx, en.nearLag) != nil {
		return false, fmt.Errorf("%w: wait for other processes to forget the copy: %w", ErrUnavailable, ctx.Err())
	}
	// The first generation too: it may be left from a purge that died here.
	stored, err := en.removeAll(ctx, b, w.Object, append(also, old, entry.Generation, cloudmirror.FirstGeneration))
	switch {
	case err != nil:
		return false, err
	case !stored && entry.State == cache.Present && w.Object.URL() == "":
		return false, errOtherName
	}
	return stored || entry.Known(), nil
}

// errOtherName says that the bytes of a copy were not found where an address said
// that they are.
var errOtherName = errors.New("engine: no copy of this file name is in the storage, although the cache knew one of this hash: purge the origin's URL")

// removeAll removes the copies of generations. Stored says that the storage had one,
// or could not tell.
func (en *Engine) removeAll(ctx context.Context, b *Backend, o cloudmirror.Object, generations []cloudmirror.Generation) (stored bool, err error) {
	slices.Sort(generations)
	for _, g := range slices.Compact(generations) {
		if g == "" { // there was no entry
			continue
		}
		stored = en.mayHaveCopy(ctx, b, o, g) || stored
		if err := en.removeCopy(ctx, b, o, g); err != nil {
			return false, err
		}
	}
	return stored, nil
}

// writeTombstone writes the tombstone for the generation that the marker names, and returns
// the entry that it replaced, unless that was a tombstone for it already. Of two
// purges at once, one's marker stands; whichever is the last to write its
// tombstone reads that marker afterwards, and so the two end up agreeing.
func (en *Engine) writeTombstone(ctx context.Context, b *Backend, w Want) (replaced cache.Entry, err error) {
	key := w.entryKey()
	current, err := currentGeneration(ctx, en.timing.Purge, b, w.Object)
	for err == nil {
		g := current
		_, _, err = en.updateUnguarded(ctx, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
			if e.Generation != g {
				replaced = e
			}
			return e.Purge(now, g, en.timing.Tombstone), nil
		})
		if err != nil {
			return replaced, err
		}
		if current, err = currentGeneration(ctx, en.timing.Purge, b, w.Object); err == nil && current == g {
			return replaced, nil
		}
	}
	return replaced, err
}

func (en *Engine) removeCopy(ctx context.Context, b *Backend, o cloudmirror.Object, g cloudmirror.Generation) error {
	ctx, cancel := context.WithTimeout(ctx, en.timing.Purge)
	defer cancel()
	if err := b.Storage.Delete(ctx, o.StorageKey(g)); err != nil {
		return fmt.Errorf("%w: delete the copy: %w", ErrUnavailable, err)
	}
	return nil
}

// mayHaveCopy reports whether the storage has a copy, or cannot tell.
func (en *Engine) mayHaveCopy(ctx context.Context, b *Backend, o cloudmirror.Object, g cloudmirror.Generation) bool {
	ctx, cancel := context.WithTimeout(ctx, en.timing.Purge)
	defer cancel()
	_, err := b.Storage.Stat(ctx, o.StorageKey(g))
	return !errors.Is(err, storage.ErrNotExist)
}

// pause waits for d. The error is that of ctx, if it ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
