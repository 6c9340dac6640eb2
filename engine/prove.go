package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudmirror/cache"
	"cloudmirror/storage"
)

// errUnproven says that the generation, or that the upload is there, has to be proven
// before clients are told of the copy.
var errUnproven = errors.New("engine: the generation or the upload is not proven")

// Prove makes sure that the object was not purged since its job was sent. Complete
// does it otherwise; called while the copy runs, it costs no time. ErrLost says
// to stop copying; ErrUnavailable that it is not known, which is no reason to stop.
func (a *Attempt) Prove(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return ErrLost
	case a.unproven:
		return a.prove(ctx)
	}
	return nil
}

// prove makes sure that the object was not purged since the job was sent. The
// entry of the attempt stands already, and says nothing to clients: a purge that
// the marker does not tell of yet will find it and put its tombstone there, and
// whatever becomes of that, the attempt is never taken for the current one again.
// Looking at the marker first would not do: a purge and a flush might come in
// between, and leave no trace in the cache.
func (a *Attempt) prove(ctx context.Context) error {
	err := a.isCurrent(ctx)
	if err == nil {
		a.unproven = false
		return nil
	}
	if !errors.Is(err, ErrLost) {
		return err
	}
	return a.abandon(ctx)
}

// proveUpload makes sure that what was uploaded is there. The entry of the attempt
// stands, so no eviction can begin.
func (a *Attempt) proveUpload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.engine.timing.Purge)
	defer cancel()
	_, err := a.backend.Storage.Stat(ctx, a.StorageKey())
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return a.abandon(ctx)
	case err != nil:
		return fmt.Errorf("%w: look for the upload: %w", ErrUnavailable, err)
	}
	a.forgotten = false
	return nil
}

// abandon forgets the attempt, and returns ErrLost once that is done.
func (a *Attempt) abandon(ctx context.Context) error {
	_, _, err := a.engine.updateUnguarded(ctx, a.key, a.at, func(e cache.Entry, _ time.Time) (cache.Entry, error) {
		return e.Abandon(a.id), nil
	})
	if err != nil {
		return err
	}
	return ErrLost
}

// isCurrent returns ErrLost if the object was purged since the job was sent.
func (a *Attempt) isCurrent(ctx context.Context) error {
	g, err := currentGeneration(ctx, a.engine.timing.Purge, a.backend, a.job.Object)
	if err != nil {
		return err
	}
	if g != a.job.Generation {
		return ErrLost
	}
	return nil
}

// restore puts back an entry that a flush removed.
func (a *Attempt) restore(ctx context.Context) error {
	a.unproven, a.forgotten = true, true // also if the answer gets lost
	at, refused, err := a.engine.updateUnguarded(ctx, a.key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		restored, err := e.Restore(now, a.job.ID, a.id, a.job.Generation, a.engine.timing.CopyLease)
		restored.Tries = max(restored.Tries, a.job.Tries)
		return restored, err
	})
	if err != nil {
		return err
	}
	if refused != nil {
		return ErrLost
	}
	a.at = at
	return a.prove(ctx)
}
