package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
)

// maxMarkerBytes bounds what is read of a generation marker.
const maxMarkerBytes = 256

// MaxCopyDuration bounds one attempt. SQS hides a message for at most 12 hours.
const MaxCopyDuration = 11 * time.Hour

// LongestCopy returns how long the making of a copy that is kept for ttl may
// take. One that took longer would be about to expire when it is done.
func LongestCopy(ttl time.Duration) time.Duration { return min(MaxCopyDuration, ttl/2) }

// markerSlack is how much longer than any older copy a generation marker is
// kept, at least.
const markerSlack = 24 * time.Hour

// markerLife returns how long a marker is kept. A copy whose upload began before it was
// written and ends last must be gone before: without its marker it would be the current
// one again.
func (b *Backend) markerLife() time.Duration {
	return max(b.TTL, b.MaxLife) + MaxCopyDuration + markerSlack
}

// readMarker returns the object's current generation: the first one if there is no marker.
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

// currentGeneration reads the marker within limit. The error is ErrUnavailable.
func currentGeneration(ctx context.Context, limit time.Duration, b *Backend, o cloudmirror.Object) (cloudmirror.Generation, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	g, err := readMarker(ctx, b.Storage, o)
	if err != nil {
		return "", fmt.Errorf("%w: read the generation: %w", ErrUnavailable, err)
	}
	return g, nil
}

// writeMarker makes g the object's current generation.
func (en *Engine) writeMarker(ctx context.Context, b *Backend, o cloudmirror.Object, g cloudmirror.Generation) error {
	ctx, cancel := context.WithTimeout(ctx, en.timing.Purge)
	defer cancel()
	_, err := b.Storage.Put(ctx, o.MarkerKey(), strings.NewReader(string(g)), storage.PutOptions{
		SizeBytes: int64(len(g)),
		Source:    o.URL(),
		ExpiresAt: time.Now().Add(b.markerLife()),
		Replace:   true,
	})
	if err != nil {
		return fmt.Errorf("%w: write the generation: %w", ErrUnavailable, err)
	}
	return nil
}
