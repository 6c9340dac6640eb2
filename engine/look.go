package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/storage"
)

// maxExpiryMargin is how long before its end a copy stops being handed out, at
// most: clients need time to fetch it, and clocks differ.
const maxExpiryMargin = 5 * time.Minute

// A lookResult is what a look at storage saw. Only storage is looked at; entries are read.
type lookResult struct {
	began      moment                 // when the look did
	generation cloudmirror.Generation // the object's current one
	found      bool                   // there is a copy of that generation, good for a while
	expiring   bool                   // there is one that is not to be handed out any more
	copied     cache.Copy
	expires    time.Time
}

// entry returns the entry of a copy that was seen, for want of a cache.
func (s lookResult) entry() cache.Entry {
	return cache.Entry{State: cache.Present, Generation: s.generation, Until: s.expires, Copy: s.copied}
}

// A look is one look at storage that several callers wait for.
type look struct {
	done chan struct{} // closed when the rest is set
	seen lookResult
	err  error
}

// lookTogether asks storage for an object: for its marker and for the copy that it has
// if it was never purged, at the same time. Concurrent callers share looks, but
// only such as begin after they asked: one that is under way may have read the
// marker before a purge that has returned since. So at most one look at an
// object is under way and one waits for it to end, and a look outlives the caller
// that began it. If one fails, so does the one that waits.
func (en *Engine) lookTogether(ctx context.Context, b *Backend, o cloudmirror.Object) (lookResult, error) {
	l, err := en.nextLook(b, o) //nolint:contextcheck // a look outlives the client that began it
	if err != nil {
		return lookResult{}, err
	}
	select {
	case <-ctx.Done():
		return lookResult{}, ctx.Err()
	case <-l.done:
		if l.err != nil {
			return lookResult{}, fmt.Errorf("%w: %w", ErrUnavailable, l.err)
		}
		return l.seen, nil
	}
}

// nextLook returns the look at an object that has not begun yet.
func (en *Engine) nextLook(b *Backend, o cloudmirror.Object) (*look, error) {
	key := cache.KeyOf(o, b.ID)
	en.mu.Lock()
	defer en.mu.Unlock()
	if en.life.Err() != nil {
		return nil, ErrClosed
	}
	next, underWay := en.looks[key]
	if next == nil {
		next = &look{done: make(chan struct{})}
		en.looks[key] = next
	}
	if !underWay {
		en.running.Go(func() { en.runLooks(key, b, o) })
	}
	return next, nil
}

// runLooks looks at an object until no caller waits any more.
func (en *Engine) runLooks(key cache.Key, b *Backend, o cloudmirror.Object) {
	var err error
	for {
		en.mu.Lock()
		l := en.looks[key]
		if l == nil {
			delete(en.looks, key)
			en.mu.Unlock()
			return
		}
		en.mu.Unlock()
		if err == nil {
			l.seen, err = en.runLook(key, b, o)
		} else {
			en.beginLook(key)
		}
		l.err = err
		close(l.done)
	}
}

// runLook looks at an object when it is its turn. Until then, callers may join.
func (en *Engine) runLook(key cache.Key, b *Backend, o cloudmirror.Object) (lookResult, error) {
	err := en.takeTurn(en.life, b.lookTurns)
	began := en.beginLook(key)
	if err != nil {
		return lookResult{}, err
	}
	defer b.lookTurns.Release(1)
	ctx, cancel := context.WithTimeout(en.life, en.timing.Look)
	defer cancel()
	var seen lookResult
	err = b.looks.do(en.life, func() (err error) {
		seen, err = lookAt(ctx, b, o, cloudmirror.FirstGeneration)
		return err
	})
	seen.began = began
	return seen, err
}

// takeTurn waits for a turn, which the caller releases if the error is nil.
func (en *Engine) takeTurn(ctx context.Context, turns *semaphore.Weighted) error {
	ctx, cancel := context.WithTimeout(ctx, en.timing.Turn)
	defer cancel()
	if err := turns.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%w: too many new objects at once: %w", ErrUnavailable, err)
	}
	return nil
}

// lookAlone looks at storage without sharing the look with other callers, for
// copiers, which put the job back if it fails, and for rechecks. Expected is the generation
// that is probably the current one.
func (en *Engine) lookAlone(ctx context.Context, b *Backend, o cloudmirror.Object, expected cloudmirror.Generation) (lookResult, error) {
	ctx, cancel := context.WithTimeout(ctx, en.timing.Look)
	defer cancel()
	seen, err := lookAt(ctx, b, o, expected)
	if err != nil {
		return lookResult{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return seen, nil
}

// beginLook has callers that ask from now on wait for another look.
func (en *Engine) beginLook(key cache.Key) moment {
	en.mu.Lock()
	defer en.mu.Unlock()
	en.looks[key] = nil
	return en.moment()
}

// lookAt reads the marker and looks for the copy of the expected generation at the
// same time, and then for that of the current one if it is another. The current one
// is the expected one, too, if there is a copy of it and no marker: purges write
// markers and never remove them, but a marker expires, perhaps before the last copy
// that was made behind its purge.
func lookAt(ctx context.Context, b *Backend, o cloudmirror.Object, expected cloudmirror.Generation) (lookResult, error) {
	group, groupCtx := errgroup.WithContext(ctx)
	var seen lookResult
	var info storage.Info
	var statErr error
	group.Go(func() (err error) {
		seen.generation, err = readMarker(groupCtx, b.Storage, o)
		return err
	})
	group.Go(func() error {
		info, statErr = b.Storage.Stat(groupCtx, o.StorageKey(expected))
		return nil // it only counts if that generation is the current one
	})
	if err := group.Wait(); err != nil {
		return lookResult{}, err
	}
	if seen.generation == cloudmirror.FirstGeneration && statErr == nil {
		seen.generation = expected
	}
	if seen.generation != expected {
		info, statErr = b.Storage.Stat(ctx, o.StorageKey(seen.generation))
	}
	switch {
	case errors.Is(statErr, storage.ErrNotExist):
		return seen, nil
	case statErr != nil:
		return lookResult{}, statErr
	}
	now := time.Now()
	seen.copied, seen.expires = b.describe(info, now)
	seen.found = now.Before(seen.expires)
	seen.expiring = !seen.found
	return seen, nil
}

// describe turns what storage says of a copy into what an entry keeps.
func (b *Backend) describe(info storage.Info, now time.Time) (c cache.Copy, expires time.Time) {
	end := info.ExpiresAt
	if end.IsZero() {
		end = now.Add(b.TTL)
	}
	return cache.Copy{SizeBytes: info.SizeBytes, SHA256: info.SHA256, StoredAt: info.StoredAt},
		end.Add(-min(maxExpiryMargin, b.TTL/10))
}
