package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/storage"
)

// maxMarkerBytes bounds what is read of a generation marker.
const maxMarkerBytes = 256

// maxExpiryMargin is how long before its end a copy stops being handed out, at
// most: clients need time to fetch it, and clocks differ.
const maxExpiryMargin = 5 * time.Minute

// A sight is what a look at storage saw.
type sight struct {
	generation cloudmirror.Generation // the object's current one
	found      bool                   // there is a copy of that generation, good for a while
	expiring   bool                   // there is one that is not to be handed out any more
	copied     cache.Copy
	expires    time.Time
}

// look asks storage for an object: for its marker and for the copy that it has
// if it was never purged, at the same time. Concurrent looks at one object are
// one, and a look outlives the caller who began it.
func (m *Mirror) look(ctx context.Context, b *Backend, o cloudmirror.Object) (sight, error) {
	result := m.looks.DoChan(string(cache.KeyOf(o, b.ID)), func() (any, error) { //nolint:contextcheck // a look outlives the client who began it
		ctx, cancel := context.WithTimeout(m.life, m.timing.Look)
		defer cancel()
		if err := m.lookSlots.Acquire(ctx, 1); err != nil {
			return sight{}, fmt.Errorf("wait for a turn to look at storage: %w", err)
		}
		defer m.lookSlots.Release(1)
		return lookAt(ctx, b, o)
	})
	select {
	case <-ctx.Done():
		return sight{}, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return sight{}, fmt.Errorf("%w: %w", ErrUnavailable, r.Err)
		}
		return r.Val.(sight), nil
	}
}

func lookAt(ctx context.Context, b *Backend, o cloudmirror.Object) (sight, error) {
	group, groupCtx := errgroup.WithContext(ctx)
	var seen sight
	var info storage.Info
	var statErr error
	group.Go(func() (err error) {
		seen.generation, err = readMarker(groupCtx, b.Storage, o)
		return err
	})
	group.Go(func() error {
		info, statErr = b.Storage.Stat(groupCtx, o.StorageKey(cloudmirror.FirstGeneration))
		return nil // it only counts if the object was never purged
	})
	if err := group.Wait(); err != nil {
		return sight{}, err
	}
	if seen.generation != cloudmirror.FirstGeneration {
		info, statErr = b.Storage.Stat(ctx, o.StorageKey(seen.generation))
	}
	switch {
	case errors.Is(statErr, storage.ErrNotExist):
		return seen, nil
	case statErr != nil:
		return sight{}, statErr
	}
	now := time.Now()
	seen.copied, seen.expires = b.describe(info, now)
	seen.found = now.Before(seen.expires)
	seen.expiring = !seen.found
	return seen, nil
}

// readMarker returns the object's current generation.
func readMarker(ctx context.Context, s storage.Provider, o cloudmirror.Object) (cloudmirror.Generation, error) {
	body, _, err := s.Open(ctx, o.MarkerKey())
	if errors.Is(err, storage.ErrNotExist) {
		return cloudmirror.FirstGeneration, nil
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxMarkerBytes))
	if err != nil {
		return "", fmt.Errorf("read the generation marker: %w", err)
	}
	return cloudmirror.ParseGeneration(string(text))
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
