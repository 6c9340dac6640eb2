package rediscache

import (
	"context"

	"cloudmirror/cache"
)

// StayNear has the reads of a store, and those for its memory from the key's node, go in
// at most two pipelines at a time, however slow the machine makes a round trip. A loaded
// machine is else taken for a Redis that is far.
func (s *Store) StayNear(ctx context.Context, key cache.Key) {
	for _, g := range []*gatherer{s.reads, s.readerOf(ctx, key)} {
		if g == nil { // it has no memory
			continue
		}
		g.mu.Lock()
		g.limit, g.farLimit = 2, 2
		g.mu.Unlock()
	}
}
