package engine

import (
	"context"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
)

// maxBackfills bounds the tries of one backfill. Each failed one means that the
// entry changed meanwhile.
const maxBackfills = 4

// backfill notes a copy that was seen in storage. The view shows what the entry
// is then: something else, if the object was purged or claimed meanwhile. If the
// cache cannot be told, the copy is good without it. At is what was known of the
// entry before the look began.
func (en *Engine) backfill(ctx context.Context, b *Backend, o cloudmirror.Object, key cache.Key, at cache.Snapshot, seen lookResult) View {
	at, err := en.noteCopy(ctx, b, o, key, at, seen)
	if err != nil {
		en.logger.Warn("a copy could not be noted in the cache", zap.Error(err))
		return View{Entry: seen.entry(), Source: FromStorage, Now: time.Now(), began: seen.began}
	}
	en.noteSeen(b, key, at)
	return View{Entry: at.Entry, Source: FromStorage, Now: at.Now(), began: seen.began}
}

// noteCopy writes down a copy, and returns what the entry is then.
//
// A record that stood before the marker was read, and still stands, proves that
// no purge came in between, since that would have put its tombstone there.
// Absence proves nothing: it may be that of a flush after the purge. So a fence
// takes its place first, and the marker is read again.
func (en *Engine) noteCopy(ctx context.Context, b *Backend, o cloudmirror.Object, key cache.Key, at cache.Snapshot, seen lookResult) (cache.Snapshot, error) {
	proven := at.Entry.State != cache.Absent
	for range maxBackfills {
		now := at.Now()
		e := at.Entry.At(now)
		next := e.Backfill(now, seen.generation, seen.copied, seen.expires)
		switch {
		case next == e:
			return en.get(ctx, key)
		case e.State == cache.Absent:
			next = e.Fence(now, cloudmirror.NewID(), seen.generation, en.timing.Fence)
		case !proven:
			g, err := currentGeneration(ctx, en.timing.Look, b, o)
			if err != nil {
				return at, err
			}
			if g != seen.generation {
				return en.unfence(ctx, key, at)
			}
			proven = true
		}
		current, swapped, err := en.swap(ctx, key, at, next)
		if err != nil || swapped && current.Entry.State == cache.Present {
			return current, err
		}
		proven = proven && current.Version() == at.Version()
		at = current
	}
	return at, nil
}

// unfence takes away a fence of a generation that is not the current one. What
// is in its place by now stays.
func (en *Engine) unfence(ctx context.Context, key cache.Key, at cache.Snapshot) (cache.Snapshot, error) {
	if at.Entry.State != cache.Fenced {
		return at, nil
	}
	at, _, err := en.swap(ctx, key, at, at.Entry.Unfence())
	return at, err
}
