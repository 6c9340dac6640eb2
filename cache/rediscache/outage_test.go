package rediscache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// wantHeard checks that a watcher of one store hears of changes by another, for
// as long as a connection may need to notice that it is a dead one. A value is
// no proof, as some come without a change: it must come soon after a change,
// and again.
func wantHeard(t *testing.T, listening, changing *rediscache.Store) {
	t.Helper()
	key := newKey(t)
	changed, stop := listening.Watch(key)
	defer stop()
	inARow := 0
	await(t, "changes are heard", func() error {
		if err := change(t.Context(), changing, key); err != nil {
			inARow = 0
			return err
		}
		select {
		case <-changed:
			if inARow++; inARow == 5 {
				return nil
			}
			return errors.New("heard, but not often enough to be sure")
		case <-time.After(time.Second):
			inARow = 0
			return errors.New("not heard")
		}
	})
}

func TestChangesAreHeardAfterTheConnectionWasCut(t *testing.T) {
	server := servers.StartRedis(t)
	client := raw(t, server)
	store := openWatching(t, singleURL(server))
	key := newKey(t)
	changed, stop := store.Watch(key)
	defer stop()
	for range 3 {
		for len(changed) > 0 {
			<-changed
		}
		killed, err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result()
		if err != nil || killed != 1 {
			t.Fatalf("%d connections were cut, error %v", killed, err)
		}
		// Nobody knows how much changed while it was away: the channel is filled.
		select {
		case <-changed:
		case <-time.After(patience):
			t.Fatal("no value after the connection was cut")
		}
		await(t, "the store watches", store.Watching)
	}
	wantHeard(t, store, openWatching(t, singleURL(server)))
}

func TestStoreOutlivesItsServer(t *testing.T) {
	server := servers.StartRedis(t)
	store := openWatching(t, singleURL(server))
	key := newKey(t)
	before, err := claim(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	changed, stop := store.Watch(key)
	defer stop()

	server.Kill()
	if _, err := store.Get(t.Context(), key); err == nil {
		t.Error("get: no error without a server")
	}
	if _, _, err := store.Swap(t.Context(), key, before, cache.Entry{State: cache.Absent}); err == nil {
		t.Error("swap: no error without a server")
	}
	if err := store.Ping(t.Context()); err == nil {
		t.Error("ping: no error without a server")
	}
	await(t, "the store knows that it hears nothing", func() error {
		if store.Watching() == nil {
			return errors.New("it says that it watches")
		}
		return nil
	})

	select {
	case <-changed: // an old value, of the claim
	default:
	}

	server.Restart()
	select {
	case <-changed: // the entry is lost, and the watcher is told to look
	case <-time.After(patience):
		t.Error("no value after the restart")
	}
	await(t, "the store watches", store.Watching)
	if got, err := store.Get(t.Context(), key); err != nil || got.Entry.State != cache.Absent {
		t.Errorf("the entry is %s, error %v", got.Entry.State, err)
	}
	if _, swapped, err := store.Swap(t.Context(), key, before, cache.Entry{
		State: cache.Present, Generation: "0", Until: before.Now().Add(time.Hour),
	}); err != nil || swapped {
		t.Errorf("a swap from before the loss: swapped is %t, error %v", swapped, err)
	}
	wantHeard(t, store, store)
}

func TestStoreStartsBeforeItsServer(t *testing.T) {
	server := servers.StartRedis(t)
	server.Kill()
	registry := prometheus.NewRegistry()
	store := open(t, rediscache.Options{URL: singleURL(server), Registerer: registry})
	if err := store.Ping(t.Context()); err == nil {
		t.Error("ping: no error without a server")
	}
	wantWatchingMetric(t, registry, "0")
	server.Restart()
	await(t, "the store watches", store.Watching)
	wantWatchingMetric(t, registry, "1")
	if _, err := claim(t.Context(), store, newKey(t)); err != nil {
		t.Error(err)
	}
}

func wantWatchingMetric(t *testing.T, registry *prometheus.Registry, want string) {
	t.Helper()
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP cloudmirror_cache_watching 1 while changes of the cache wake waiting clients, 0 while those poll.
# TYPE cloudmirror_cache_watching gauge
cloudmirror_cache_watching `+want+"\n"), "cloudmirror_cache_watching")
	if err != nil {
		t.Error(err)
	}
}

func TestDeadlinesHoldWhenTheServerIsFrozen(t *testing.T) {
	server := servers.StartRedis(t)
	store, key := openWatching(t, singleURL(server)), newKey(t)
	old, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	defer server.Continue()
	for phrase, call := range map[string]func(context.Context) error{
		"get":  func(ctx context.Context) error { _, err := store.Get(ctx, key); return err },
		"ping": store.Ping,
		"swap": func(ctx context.Context) error {
			_, _, err := store.Swap(ctx, key, old, cache.Entry{State: cache.Absent})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		asked := time.Now()
		err := call(ctx)
		took := time.Since(asked)
		cancel()
		// Without the deadline it would be the read timeout, five seconds.
		if err == nil || took > 1500*time.Millisecond {
			t.Errorf("%s: error %v after %v, want one after 100 ms", phrase, err, took)
		}
	}
}

func TestCloseEndsCallsThatRun(t *testing.T) {
	server := servers.StartRedis(t)
	store := openWatching(t, singleURL(server))
	server.Stop()
	defer server.Continue()
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := store.Get(t.Context(), "key"); err == nil {
			t.Error("get: no error from a frozen server")
		}
	})
	if err := store.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	running.Wait()
}
