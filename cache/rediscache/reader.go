package rediscache

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"cloudmirror/cache"
)

// newReader returns a client for reading what is to be kept in memory. Each of
// its connections proves once that it ends at the very server to which the
// tracker's connection leads, be there a Sentinel, a name with several addresses
// or a balancer between: it writes a canary, which must be heard. Otherwise an
// old master could be read while the new one is listened to.
func (t *tracker) newReader() *redis.Client {
	o := *t.options
	o.PushNotificationProcessor = nil
	o.MaxRetries, o.MinIdleConns = -1, 0
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, canaryPatience)
		defer cancel()
		name, heard, forget := t.canaries.next()
		defer forget()
		if err := conn.Set(ctx, name, "1", canaryLife).Err(); err != nil {
			return fmt.Errorf("rediscache: prove a connection to %s: %w", t.name, err)
		}
		select {
		case <-heard:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("rediscache: prove a connection to %s: %w", t.name, ctx.Err())
		}
	}
	return redis.NewClient(&o)
}

// Recall returns the entry under key and the store's clock, if a present entry
// is in memory that Redis held at some time of the last Options.NearDelta. It
// asks nobody. What Get reads is kept for it.
func (s *Store) Recall(key cache.Key) (cache.Recalled, bool) {
	if s.near == nil {
		return cache.Recalled{}, false
	}
	return s.near.recall(key, &s.clock)
}

// getTracked reads an entry in the way in which it can be kept in memory, and
// keeps it. It reports whether it could; Redis may still answer in the plain way.
func (s *Store) getTracked(ctx context.Context, key cache.Key) (cache.Snapshot, bool) {
	if !s.near.trusted() {
		return cache.Snapshot{}, false
	}
	g := s.near.guard(key)
	reader := s.readerOf(ctx, key)
	if reader == nil {
		return cache.Snapshot{}, false
	}
	raw, err := reader.get(ctx, s.name(key))
	if err != nil && !errors.Is(err, redis.Nil) {
		return cache.Snapshot{}, false // of a Cluster's node: the key may be elsewhere
	}
	at := snapshot(raw, s.clock.now())
	s.near.keep(key, at.Entry, g)
	return at, true
}

// readerOf returns what reads from the node that holds the key; nil if its
// changes are not heard.
func (s *Store) readerOf(ctx context.Context, key cache.Key) *gatherer {
	name := ""
	switch client := s.client.(type) {
	case *redis.ClusterClient:
		master, err := client.MasterForKey(ctx, s.name(key))
		if err != nil {
			return nil
		}
		name = master.Options().Addr
	case *redis.Client:
		name = client.Options().Addr
	}
	return s.listener.reader(name)
}
