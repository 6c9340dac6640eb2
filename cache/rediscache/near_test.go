package rediscache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

const delta = 500 * time.Millisecond

// openNear returns a store that keeps present entries in memory.
func openNear(t testing.TB, url string) *rediscache.Store {
	t.Helper()
	store := open(t, rediscache.Options{URL: url, NearBytes: 1 << 20, NearDelta: delta, Timeout: 2 * time.Second})
	await(t, "the store watches", store.Watching)
	return store
}

// remembered makes a present entry with another store, and returns its key and
// generation when the store has it in memory.
func remembered(t *testing.T, store, other *rediscache.Store) (cache.Key, cloudmirror.Generation) {
	t.Helper()
	key := newKey(t)
	if err := change(t.Context(), other, key); err != nil {
		t.Fatal(err)
	}
	return key, remember(t, store, key)
}

func remember(t *testing.T, store *rediscache.Store, key cache.Key) (g cloudmirror.Generation) {
	t.Helper()
	await(t, "the entry is in memory", func() error {
		if at, ok := store.Recall(key); ok {
			g = at.Entry.Generation
			return nil
		}
		if at, err := store.Get(t.Context(), key); err != nil || at.Entry.State != cache.Present {
			return fmt.Errorf("the entry is %s, error %w", at.Entry.State, err)
		}
		return errors.New("it was read, but it is not in memory")
	})
	return g
}

// wantForgotten checks that from delta after now on the store does not show the
// generation from memory, and that Redis' answers do not bring it back.
func wantForgotten(t *testing.T, store *rediscache.Store, key cache.Key, g cloudmirror.Generation) {
	t.Helper()
	<-time.After(delta)
	for range 20 {
		if at, ok := store.Recall(key); ok && at.Entry.Generation == g {
			t.Fatalf("%v later, the old entry is shown", delta)
		}
		_, _ = store.Get(t.Context(), key) // a broken server does not answer
	}
}

func TestChangesEndWhatIsInMemory(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t)
	wire := startWire(t, server.Addr())
	client, other := raw(t, server), openWatching(t, singleURL(server))
	name := func(key cache.Key) string { return rediscache.DefaultPrefix + string(key) }
	for _, test := range []struct {
		phrase string
		event  func(t *testing.T, key cache.Key) error
	}{
		{"another front end's write", func(t *testing.T, key cache.Key) error { return change(t.Context(), other, key) }},
		{"a tombstone", func(t *testing.T, key cache.Key) error {
			_, err := cache.Update(t.Context(), other, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
				return e.Purge(now, cloudmirror.NewGeneration(), time.Minute), nil
			})
			return err
		}},
		{"a hand-made DEL", func(t *testing.T, key cache.Key) error { return client.Del(t.Context(), name(key)).Err() }},
		{"a hand-made SET", func(t *testing.T, key cache.Key) error { return client.Set(t.Context(), name(key), "x", 0).Err() }},
		{"FLUSHDB", func(t *testing.T, _ cache.Key) error { return client.FlushDB(t.Context()).Err() }},
		{"FLUSHALL ASYNC", func(t *testing.T, _ cache.Key) error { return client.FlushAllAsync(t.Context()).Err() }},
		{"a DEL while the connection that tells of it is half open", func(t *testing.T, key cache.Key) error {
			wire.freeze()
			t.Cleanup(wire.thaw)
			return client.Del(t.Context(), name(key)).Err()
		}},
		{"a DEL right after the connection that tells of it was cut", func(t *testing.T, key cache.Key) error {
			killed, err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result()
			if err == nil && killed == 0 {
				err = errors.New("there was none")
			}
			return errors.Join(err, client.Del(t.Context(), name(key)).Err())
		}},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			store := openNear(t, "redis://"+wire.addr()+"/0")
			key, g := remembered(t, store, other)
			if err := test.event(t, key); err != nil {
				t.Fatal(err)
			}
			wantForgotten(t, store, key, g)
			wire.thaw()
			// And then memory is used again.
			if err := change(t.Context(), other, key); err != nil {
				t.Fatal(err)
			}
			if now := remember(t, store, key); now == g {
				t.Error("the old entry came back")
			}
		})
	}
}

func TestMemoryIsMeasured(t *testing.T) {
	registry := prometheus.NewRegistry()
	server := servers.StartRedis(t)
	store := open(t, rediscache.Options{URL: singleURL(server), NearBytes: 1 << 20, NearDelta: delta, Registerer: registry})
	await(t, "the store watches", store.Watching)
	remembered(t, store, store)
	store.Recall(newKey(t))
	metrics := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := make(map[string]float64)
		for _, f := range families {
			m := f.GetMetric()[0]
			values[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return values
	}
	before := metrics()
	if got := before["cloudmirror_near_cache_entries"]; got != 1 {
		t.Errorf("%v entries are in memory, want 1", got)
	}
	for _, name := range []string{"bytes", "hits_total", "misses_total"} {
		if before["cloudmirror_near_cache_"+name] < 1 {
			t.Errorf("%s is %v", name, before["cloudmirror_near_cache_"+name])
		}
	}
	server.Kill()
	await(t, "the store knows that it hears nothing", func() error {
		if store.Watching() == nil {
			return errors.New("it says that it watches")
		}
		return nil
	})
	bypasses := metrics()["cloudmirror_near_cache_bypasses_total"]
	store.Recall(newKey(t))
	if got := metrics()["cloudmirror_near_cache_bypasses_total"]; got != bypasses+1 {
		t.Errorf("%v look-ups went past memory, want %v", got, bypasses+1)
	}
}

// A name or a balancer leads to another server than before, for new connections
// only: the old ones go on, and canaries are heard on them. What the other
// server holds is no concern of theirs.
func TestWhatAnotherServerHoldsIsNotKept(t *testing.T) {
	t.Parallel()
	here, there := servers.StartRedis(t), servers.StartRedis(t)
	wire := startWire(t, here.Addr())
	store := openNear(t, "redis://"+wire.addr()+"/0")
	key := newKey(t)
	for _, server := range []*servers.Redis{here, there} {
		if err := change(t.Context(), openWatching(t, singleURL(server)), key); err != nil {
			t.Fatal(err)
		}
	}
	want, err := openWatching(t, singleURL(here)).Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	wire.lead(there.Addr())
	for range 3 {
		if _, err := store.Get(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if at, ok := store.Recall(key); ok && at.Entry.Generation != want.Entry.Generation {
			t.Fatal("what the other server holds is shown")
		}
	}
	if err := store.Watching(); err != nil {
		t.Errorf("the old connections were lost, so that nothing was tested: %v", err)
	}
}

func TestAFrozenServerIsNotTrusted(t *testing.T) {
	server := servers.StartRedis(t)
	store := openNear(t, singleURL(server))
	key, g := remembered(t, store, store)
	server.Stop()
	<-time.After(delta)
	if _, ok := store.Recall(key); ok {
		t.Errorf("%v after the server froze, memory is trusted", delta)
	}
	server.Continue()
	if again := remember(t, store, key); again != g {
		t.Errorf("the generation is %s, want %s", again, g)
	}
}

func TestADeadServerIsNotTrusted(t *testing.T) {
	server := servers.StartRedis(t)
	store := openNear(t, singleURL(server))
	key, g := remembered(t, store, store)
	server.Kill()
	server.Restart() // empty
	wantForgotten(t, store, key, g)
}

func TestOwnSwapsAreSeenAtOnce(t *testing.T) {
	store := openNear(t, singleURL(servers.StartRedis(t)))
	key, _ := remembered(t, store, store)
	for range 200 {
		before := remember(t, store, key)
		if err := change(t.Context(), store, key); err != nil {
			t.Fatal(err)
		}
		if at, ok := store.Recall(key); ok && at.Entry.Generation == before {
			t.Fatal("after a swap, the store shows what it swapped away")
		}
	}
}

// Reads race with changes; when all is quiet, nothing old may be in memory.
func TestNothingOldStaysInMemory(t *testing.T) {
	server := servers.StartRedis(t)
	store, other := openNear(t, singleURL(server)), openWatching(t, singleURL(server))
	keys := make([]cache.Key, 100)
	var running sync.WaitGroup
	for i := range keys {
		keys[i] = newKey(t)
		changed := make(chan struct{})
		running.Go(func() {
			defer close(changed)
			for range 20 {
				if err := change(t.Context(), other, keys[i]); err != nil {
					t.Error(err)
				}
			}
		})
		running.Go(func() {
			for isLast := false; ; {
				if _, ok := store.Recall(keys[i]); !ok {
					var err error
					if i%2 == 0 {
						_, err = store.Get(t.Context(), keys[i])
					} else {
						_, err = store.GetAll(t.Context(), keys[i:i+1])
					}
					if err != nil {
						t.Error(err)
					}
				}
				if isLast {
					return
				}
				select {
				case <-changed:
					isLast = true
				default:
				}
			}
		})
	}
	running.Wait()
	<-time.After(delta)
	shown := 0
	for _, key := range keys {
		want, err := other.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := store.Recall(key); ok {
			shown++
			if at.Entry.Generation != want.Entry.Generation {
				t.Errorf("memory shows generation %s, Redis %s", at.Entry.Generation, want.Entry.Generation)
			}
		}
	}
	t.Logf("%d of %d are in memory", shown, len(keys))
	if shown == 0 {
		t.Error("nothing is in memory, so that nothing was tested")
	}
}

func TestExpiryEndsWhatIsInMemory(t *testing.T) {
	t.Parallel()
	store := openNear(t, singleURL(servers.StartRedis(t)))
	key := newKey(t)
	at, err := cache.Update(t.Context(), store, key, cache.Snapshot{}, func(_ cache.Entry, now time.Time) (cache.Entry, error) {
		return cache.Entry{State: cache.Present, Generation: "0", Until: now.Add(700 * time.Millisecond)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	remember(t, store, key)
	for at.Now().Before(at.Entry.Until) {
		<-time.After(10 * time.Millisecond)
	}
	<-time.After(20 * time.Millisecond) // the error of the clock
	if _, ok := store.Recall(key); ok {
		t.Error("an expired entry is shown")
	}
}

// Where the server cannot tell, every read is a plain one, and works.
func TestServersThatCannotTellAreReadPlainly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		phrase, rule string
		args         []string
	}{
		{"tracking is not permitted", "-client|tracking", nil},
		{"RESP2 only", "+@all", []string{"--rename-command", "HELLO", "NOTHELLO"}},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			server := servers.StartRedis(t, test.args...)
			if err := raw(t, server).Do(t.Context(), "acl", "setuser", "app", "on", ">secret", "~*", "&*", "+@all", test.rule).Err(); err != nil {
				t.Fatal(err)
			}
			store := open(t, rediscache.Options{URL: "redis://app:secret@" + server.Addr(), NearBytes: 1 << 20, NearDelta: delta})
			key := newKey(t)
			if err := change(t.Context(), store, key); err != nil {
				t.Fatal(err)
			}
			for until := time.Now().Add(3 * delta); time.Now().Before(until); <-time.After(10 * time.Millisecond) {
				if at, err := store.Get(t.Context(), key); err != nil || at.Entry.State != cache.Present {
					t.Fatalf("the entry is %s, error %v", at.Entry.State, err)
				}
				if _, ok := store.Recall(key); ok {
					t.Fatal("memory is trusted")
				}
			}
		})
	}
}

func TestNearOnClusterIsTrustedWhileAllMastersAreHeard(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t)
	store, other := openNear(t, clusterURL(cluster)), openWatching(t, clusterURL(cluster))
	for range 20 { // keys of all masters
		key, g := remembered(t, store, other)
		if err := change(t.Context(), other, key); err != nil {
			t.Fatal(err)
		}
		await(t, "the old entry is forgotten", func() error {
			if at, ok := store.Recall(key); ok && at.Entry.Generation == g {
				return errors.New("it is shown")
			}
			return nil
		})
	}
	key, _ := remembered(t, store, other)
	cluster.Masters[1].Stop()
	<-time.After(delta)
	if _, ok := store.Recall(key); ok {
		t.Error("memory is trusted while one master is not heard")
	}
	cluster.Masters[1].Continue()
	remember(t, store, key)
}

// After a failover by Sentinel, the old master does not know for seconds that it
// is none. From when a front end's own writes reach the new one, memory that is
// told by the old one must not be trusted for longer than delta.
func TestNearFollowsAFailover(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartRedisSentinel(t)
	store, other := openNear(t, sentinelURL(sentinel)), openWatching(t, sentinelURL(sentinel))
	key, _ := remembered(t, store, other)
	sentinel.Failover(t)
	promoted := raw(t, sentinel.Servers[1])
	reaches := func(who *rediscache.Store) {
		await(t, "writes reach the new master", func() error {
			mark := newKey(t)
			if err := change(t.Context(), who, mark); err != nil {
				return err
			}
			n, err := promoted.Exists(t.Context(), rediscache.DefaultPrefix+string(mark)).Result()
			if err == nil && n == 0 {
				err = errors.New("they reach the old one")
			}
			return err
		})
	}
	reaches(store)
	reaches(other)
	until, writes := time.Now().Add(8*time.Second), 0
	for ; time.Now().Before(until); writes++ {
		if err := change(t.Context(), other, key); err != nil {
			continue
		}
		written := time.Now()
		want, err := other.Get(t.Context(), key)
		if err != nil {
			continue
		}
		for time.Since(written) < delta {
			_, _ = store.Get(t.Context(), key)
			<-time.After(20 * time.Millisecond)
		}
		if at, ok := store.Recall(key); ok && at.Entry.Generation != want.Entry.Generation {
			t.Fatalf("%v after write %d, an old entry is shown", delta, writes)
		}
	}
	if writes < 5 {
		t.Errorf("only %d writes were checked", writes)
	}
	remember(t, store, key)
}

func TestNearStoreConforms(t *testing.T) {
	t.Parallel()
	t.Run("on one server", func(t *testing.T) {
		server := servers.StartRedis(t)
		client := raw(t, server)
		conform(t, openNear, singleURL(server), client, func(ctx context.Context) error { return client.FlushDB(ctx).Err() })
	})
	t.Run("on a Cluster", func(t *testing.T) {
		cluster := servers.StartRedisCluster(t)
		client := clusterClient(t, cluster)
		conform(t, openNear, clusterURL(cluster), client, flushMasters(client))
	})
	t.Run("behind Sentinel", func(t *testing.T) {
		sentinel := servers.StartRedisSentinel(t)
		client := raw(t, sentinel.Servers[0])
		conform(t, openNear, sentinelURL(sentinel), client, func(ctx context.Context) error { return client.FlushDB(ctx).Err() })
	})
}
