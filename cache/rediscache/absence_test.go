package rediscache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// rememberAbsent has the store remember that there is nothing under the key.
func rememberAbsent(t *testing.T, store *rediscache.Store, key cache.Key) {
	t.Helper()
	await(t, "the absence is in memory", func() error {
		all, err := store.GetAll(t.Context(), []cache.Key{key})
		if err != nil {
			return err
		}
		store.NoteAbsent(key, all[0], cache.Entry{State: cache.Absent, Generation: cloudmirror.FirstGeneration})
		if at, ok := store.RecallAny(key); !ok || at.Entry.State != cache.Absent {
			return errors.New("it was read and noted, but it is not in memory")
		}
		return nil
	})
}

// purge makes a tombstone under the key.
func purge(ctx context.Context, store cache.Store, key cache.Key) error {
	_, err := cache.Update(ctx, store, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Purge(now, cloudmirror.NewGeneration(), time.Minute), nil
	})
	return err
}

func TestChangesEndAnAbsenceInMemory(t *testing.T) {
	server := servers.StartRedis(t)
	wire := startWire(t, server.Addr())
	client, other := raw(t, server), openWatching(t, singleURL(server))
	store := openNear(t, "redis://"+wire.addr()+"/0")
	for _, test := range []struct {
		phrase string
		event  func(ctx context.Context, key cache.Key) error
	}{
		{"a copy that another process made", func(ctx context.Context, key cache.Key) error { return change(ctx, other, key) }},
		{"another process' claim", func(ctx context.Context, key cache.Key) error { _, err := claim(ctx, other, key); return err }},
		{"a claim of this process", func(ctx context.Context, key cache.Key) error { _, err := claim(ctx, store, key); return err }},
		{"a purge", func(ctx context.Context, key cache.Key) error { return purge(ctx, other, key) }},
		{"FLUSHALL", func(ctx context.Context, _ cache.Key) error { return client.FlushAll(ctx).Err() }},
		{"a copy that another process made while the connection that tells of it is half open", func(ctx context.Context, key cache.Key) error {
			wire.freeze()
			t.Cleanup(wire.thaw)
			return change(ctx, other, key)
		}},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			key := newKey(t)
			rememberAbsent(t, store, key)
			if err := test.event(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			<-time.After(delta) // half of the second for which it is shown otherwise
			if at, ok := store.RecallAny(key); ok && at.Entry.State == cache.Absent {
				t.Errorf("%v later, the absence is shown", delta)
			}
			wire.thaw()
		})
	}
}

func TestTheEndOfATombstoneEndsAnAbsenceInMemory(t *testing.T) {
	store, key := openNear(t, singleURL(servers.StartRedis(t))), newKey(t)
	if err := purge(t.Context(), store, key); err != nil {
		t.Fatal(err)
	}
	rememberAbsent(t, store, key)
	all, err := store.GetAll(t.Context(), []cache.Key{key})
	if err != nil || all[0].Entry.State != cache.Tombstone {
		t.Fatalf("the entry is %+v, error %v, want a tombstone", all, err)
	}
	if _, swapped, err := store.Swap(t.Context(), key, all[0], cache.Entry{State: cache.Absent}); err != nil || !swapped {
		t.Fatalf("swapped is %t, error %v", swapped, err)
	}
	if at, ok := store.RecallAny(key); ok {
		t.Errorf("%+v is shown", at.Entry)
	}
}

// Get reads for claims, which do not look at storage after it.
func TestWhatGetReadsIsNoAbsence(t *testing.T) {
	store, key := openNear(t, singleURL(servers.StartRedis(t))), newKey(t)
	rememberAbsent(t, store, newKey(t)) // the memory works
	at, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	store.NoteAbsent(key, at, at.Entry)
	if _, ok := store.RecallAny(key); ok {
		t.Error("an absence that Get read is shown")
	}
}

func TestWhatAnotherServerLacksIsNotKept(t *testing.T) {
	here, there := servers.StartRedis(t), servers.StartRedis(t)
	wire := startWire(t, here.Addr())
	store, key := openNear(t, "redis://"+wire.addr()+"/0"), newKey(t)
	rememberAbsent(t, store, newKey(t))
	if err := change(t.Context(), openWatching(t, singleURL(here)), key); err != nil {
		t.Fatal(err)
	}
	wire.lead(there.Addr())
	for range 20 {
		all, err := store.GetAll(t.Context(), []cache.Key{key})
		if err != nil {
			t.Fatal(err)
		}
		if all[0].Entry.State == cache.Absent {
			store.NoteAbsent(key, all[0], all[0].Entry)
		}
		if at, ok := store.RecallAny(key); ok && at.Entry.State == cache.Absent {
			t.Fatal("what the other server lacks is shown")
		}
	}
}
