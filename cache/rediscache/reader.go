package rediscache

import (
	"context"
	"fmt"
	"time"

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
// sends no request. What Get reads is kept for it.
func (s *Store) Recall(key cache.Key) (cache.Recalled, bool) {
	if s.near == nil {
		return cache.Recalled{}, false
	}
	return s.near.recall(key, &s.clock, false)
}

// RecallAny is Recall that also returns an absent entry, for a second after NoteAbsent,
// or until Redis tells of a change of the key.
func (s *Store) RecallAny(key cache.Key) (cache.Recalled, bool) {
	if s.near == nil {
		return cache.Recalled{}, false
	}
	return s.near.recall(key, &s.clock, true)
}

// NoteAbsent has RecallAny return e, an absent entry, for a second. The caller got the
// snapshot at from GetAll, which showed no copy, job or failure, and has found no copy
// in storage since.
func (s *Store) NoteAbsent(key cache.Key, at cache.Snapshot, e cache.Entry) {
	if s.near != nil {
		s.near.noteAbsent(key, at, e)
	}
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
	if err != nil {
		return cache.Snapshot{}, false // of a Cluster's node: the key may be elsewhere
	}
	at := snapshot(raw, s.clock.now())
	s.near.keep(key, at.Entry, g)
	return at, true
}

// GetAll implements cache.Store.
func (s *Store) GetAll(ctx context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	if err := cache.CheckKeys(keys); err != nil {
		return nil, fmt.Errorf("rediscache: %w", err)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.name(key)
	}
	if s.near != nil {
		if all, ok := s.getAllTracked(ctx, keys, names); ok {
			return all, nil
		}
	}
	raws, err := s.reads.getAll(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("rediscache: get %d entries from %s on: %w", len(keys), keys[0], s.at(err))
	}
	return snapshots(raws, s.clock.now()), nil
}

// getAllTracked is getTracked for many keys, which one node holds.
func (s *Store) getAllTracked(ctx context.Context, keys []cache.Key, names []string) ([]cache.Snapshot, bool) {
	if !s.near.trusted() {
		return nil, false
	}
	guards := make([]guard, len(keys))
	for i, key := range keys {
		guards[i] = s.near.guard(key)
	}
	reader := s.readerOf(ctx, keys[0])
	if reader == nil {
		return nil, false
	}
	raws, err := reader.getAll(ctx, names)
	if err != nil {
		return nil, false
	}
	all := snapshots(raws, s.clock.now())
	for i, at := range all {
		s.near.keep(keys[i], at.Entry, guards[i])
		s.near.keepAbsence(keys[i], at, guards[i])
	}
	return all, true
}

func snapshots(raws []string, now time.Time) []cache.Snapshot {
	all := make([]cache.Snapshot, len(raws))
	for i, raw := range raws {
		all[i] = snapshot(raw, now)
	}
	return all
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
