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
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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
		killed, err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result()
		if err != nil || killed != 1 {
			t.Fatalf("%d connections were cut, error %v", killed, err)
		}
		// Whatever changed while it was away is told by one value.
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
# HELP cloudmirror_cache_watching 1 while changes of the cache wake those who wait, 0 while they live from polling.
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
		// Without the deadline it would be the read timeout, two seconds.
		if err == nil || took > 1500*time.Millisecond {
			t.Errorf("%s: error %v after %v, want one after 100 ms", phrase, err, took)
		}
	}
}

func TestStoreWorksOnWithoutTracking(t *testing.T) {
	server := servers.StartRedis(t)
	if err := raw(t, server).Do(t.Context(),
		"acl", "setuser", "app", "on", ">secret", "~*", "&*", "+@all", "-client|tracking").Err(); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	store := open(t, rediscache.Options{
		URL: "redis://app:secret@" + server.Addr(), Logger: zap.New(core),
	})
	await(t, "the refusal is known", func() error {
		if err := store.Watching(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			return errors.Join(errors.New("the status is another"), err)
		}
		return nil
	})
	key := newKey(t)
	changed, stop := store.Watch(key)
	defer stop()
	if _, err := claim(t.Context(), store, key); err != nil {
		t.Error(err)
	}
	select {
	case <-changed: // the store's own changes are known without Redis
	default:
		t.Error("the store's own change was not told")
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("the refusal is logged %d times: %v", n, logs.All())
	}
}

func TestDocumentedPrivilegesSuffice(t *testing.T) {
	server := servers.StartRedis(t)
	if err := raw(t, server).Do(t.Context(), "acl", "setuser", "app", "on", ">secret", "-@all",
		"~cloudmirror:*", "&cloudmirror:*", "+get", "+set", "+del", "+time", "+eval", "+evalsha", "+ping", "+subscribe",
		"+client|tracking").Err(); err != nil {
		t.Fatal(err)
	}
	store := openWatching(t, "redis://app:secret@"+server.Addr())
	if err := store.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	wantHeard(t, store, openWatching(t, singleURL(server)))
	wantHeard(t, openWatching(t, singleURL(server)), store)
}

func TestErrorsNeverHaveThePassword(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "right")
	core, logs := observer.New(zap.DebugLevel)
	store := open(t, rediscache.Options{URL: "redis://:hunter2@" + server.Addr(), Logger: zap.New(core)})
	_, getErr := store.Get(t.Context(), newKey(t))
	_, claimErr := claim(t.Context(), store, newKey(t))
	await(t, "the refusal is logged", func() error {
		if logs.Len() == 0 {
			return errors.New("there is no log")
		}
		return nil
	})
	for _, err := range []error{getErr, claimErr, store.Ping(t.Context()), store.Watching()} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error is %v", err)
		}
	}
	for _, entry := range logs.All() {
		for _, field := range entry.Context {
			if err, ok := field.Interface.(error); ok && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the log has the password: %v", err)
			}
		}
	}
}

func TestClusterMasterComesBack(t *testing.T) {
	cluster := servers.StartRedisCluster(t)
	store, other := openWatching(t, clusterURL(cluster)), openWatching(t, clusterURL(cluster))
	cluster.Masters[1].Kill()
	await(t, "the store knows that it hears nothing", func() error {
		if store.Watching() == nil {
			return errors.New("it says that it watches")
		}
		return nil
	})
	cluster.Masters[1].Restart()
	await(t, "the store watches", store.Watching)
	for range 20 { // keys of all masters
		wantHeard(t, store, other)
	}
}

// The canary of each master has a key that the master holds; when its slot moves
// away, another must be found.
func TestClusterSlotOfACanaryMoves(t *testing.T) {
	cluster := servers.StartRedisCluster(t)
	store, other := openWatching(t, clusterURL(cluster)), openWatching(t, clusterURL(cluster))
	const slot = 13907 // of the hash tag 0, which the third master holds
	from, to := raw(t, cluster.Masters[2]), raw(t, cluster.Masters[0])
	ctx := t.Context()
	fromID, toID := from.ClusterMyID(ctx).Val(), to.ClusterMyID(ctx).Val()
	if err := errors.Join(
		to.Do(ctx, "cluster", "setslot", slot, "importing", fromID).Err(),
		from.Do(ctx, "cluster", "setslot", slot, "migrating", toID).Err(),
		to.Do(ctx, "cluster", "setslot", slot, "node", toID).Err(),
	); err != nil {
		t.Fatal(err)
	}
	// A slot that holds keys cannot be given away, and canaries come each second.
	if _, err := from.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.FlushAll(ctx)
		tx.Do(ctx, "cluster", "setslot", slot, "node", toID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	await(t, "the store knows that a canary is not heard", func() error {
		if store.Watching() == nil {
			return errors.New("it says that it watches")
		}
		return nil
	})
	await(t, "the store watches", store.Watching)
	for range 20 {
		wantHeard(t, store, other)
	}
}

func TestWakesFollowAFailover(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartRedisSentinel(t)
	store, other := openWatching(t, sentinelURL(sentinel)), openWatching(t, sentinelURL(sentinel))
	wantHeard(t, store, other)
	sentinel.Failover(t)
	promoted := raw(t, sentinel.Servers[1])
	await(t, "writes reach the new master", func() error {
		key := newKey(t)
		if err := change(t.Context(), other, key); err != nil {
			return err
		}
		n, err := promoted.Exists(t.Context(), rediscache.DefaultPrefix+string(key)).Result()
		if err == nil && n == 0 {
			err = errors.New("they reach the old one")
		}
		return err
	})
	switched := time.Now()
	wantHeard(t, store, other)
	// The old master learns that it is none after ten seconds or so. A
	// connection that stays with it until then hears nothing.
	if took := time.Since(switched); took > 8*time.Second {
		t.Errorf("changes were heard after %v, when the old master was told", took)
	}
	await(t, "the store watches", store.Watching)
}

func TestWakesFollowAMasterThatDied(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartRedisSentinel(t)
	store, other := openWatching(t, sentinelURL(sentinel)), openWatching(t, sentinelURL(sentinel))
	sentinel.Servers[0].Kill()
	sentinel.AwaitFailover(sentinel.Servers[0])
	wantHeard(t, store, other)
	await(t, "the store watches", store.Watching)
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
