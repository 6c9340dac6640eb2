package engine

import (
	"context"
	"time"

	"cloudmirror/cache"
)

// Peek returns what is known of a copy without causing one: what the cache says
// or, if it says nothing, what storage has.
func (en *Engine) Peek(ctx context.Context, w Want) (View, error) {
	b, err := en.backend(w.Backend)
	if err != nil {
		return View{}, err
	}
	key := w.entryKey()
	at, err := en.get(ctx, key)
	if err == nil && at.Entry.State == cache.Reserved && en.awaitLook(ctx, key) {
		at, err = en.get(ctx, key)
	}
	if err == nil && at.Entry.Known() {
		en.recheck(w, key, &at.Entry, at.Now())
		return View{Entry: at.Entry, Now: at.Now()}, nil
	}
	return en.seek(ctx, b, w, key, at, err)
}

// awaitLook waits for a look at storage that a flight of this process has under way
// behind its reservation. It reports whether there was one.
func (en *Engine) awaitLook(ctx context.Context, key cache.Key) bool {
	f, _ := en.joinRunning(key)
	if f == nil {
		return false
	}
	defer en.leave(f)
	if f.news().stage != seeking {
		return false
	}
	_, _ = f.follow(ctx, Patience{}) // what it found, the cache says
	return true
}

// seek looks at storage for a copy that the cache does not know, and notes it if
// the cache can be reached (cacheErr is nil).
func (en *Engine) seek(ctx context.Context, b *Backend, w Want, key cache.Key, at cache.Snapshot, cacheErr error) (View, error) {
	seen, err := en.lookTogether(ctx, b, w.Object)
	if err != nil {
		return View{}, err
	}
	if !seen.found {
		return View{Entry: cache.Entry{State: cache.Absent, Generation: seen.generation, PurgedUntil: at.Entry.PurgedUntil}, Now: at.Now()}, cacheErr
	}
	if cacheErr != nil {
		// The copy is good without the cache, by our own clock.
		return View{Entry: seen.entry(), Source: FromStorage, Now: time.Now(), began: seen.began}, nil //nolint:nilerr // storage made up for it
	}
	return en.backfill(ctx, b, w.Object, key, at, seen), nil
}
