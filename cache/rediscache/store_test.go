package rediscache_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/cachetest"
	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// patience bounds the wait for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a store that is closed at the end of the test.
func open(t testing.TB, o rediscache.Options) *rediscache.Store {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // a busy machine is no outage
	}
	store, err := rediscache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return store
}

// openWatching returns a store whose watchers are woken already.
func openWatching(t testing.TB, url string) *rediscache.Store {
	t.Helper()
	store := open(t, rediscache.Options{URL: url})
	await(t, "the store watches", store.Watching)
	return store
}

// await polls until check returns nil.
func await(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s: %v", patience, what, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func singleURL(r *servers.Redis) string { return "redis://" + r.Addr() + "/0" }

func clusterURL(c *servers.RedisCluster) string {
	a := c.Addrs()
	return "redis+cluster://" + a[0] + "?addr=" + a[1] + "&addr=" + a[2]
}

func sentinelURL(s *servers.RedisSentinel) string {
	return "redis+sentinel://" + s.Addr() + "/0?master_name=" + servers.RedisMasterName
}

// raw returns a client of one server that tests use behind the store's back.
func raw(t testing.TB, r *servers.Redis) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// conform runs the suite on two stores of one deployment; of its masters, one
// holds any key.
func conform(t *testing.T, open func(testing.TB, string) *rediscache.Store, url string, plain redis.UniversalClient, flush func(context.Context) error) {
	t.Helper()
	cachetest.Run(t, func(t *testing.T) cachetest.Harness {
		return cachetest.Harness{
			Store: open(t, url),
			Peer:  open(t, url),
			Advance: func(t *testing.T, d time.Duration) {
				if d > time.Second {
					t.Skipf("Redis' clock cannot be moved by %v: the keys' time to live is tested instead", d)
				}
				<-time.After(d)
			},
			Flush: func(t *testing.T) {
				if err := flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			Plant: func(t *testing.T, key cache.Key, raw string) {
				if err := plain.Set(t.Context(), rediscache.DefaultPrefix+string(key), raw, 0).Err(); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestStoreOnOneServer(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t)
	client := raw(t, server)
	conform(t, openWatching, singleURL(server), client, func(ctx context.Context) error { return client.FlushDB(ctx).Err() })
}

func TestStoreOnCluster(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t)
	client := clusterClient(t, cluster)
	conform(t, openWatching, clusterURL(cluster), client, flushMasters(client))
}

func clusterClient(t *testing.T, cluster *servers.RedisCluster) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs()})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func flushMasters(client *redis.ClusterClient) func(context.Context) error {
	return func(ctx context.Context) error {
		return client.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return master.FlushDB(ctx).Err()
		})
	}
}

func TestStoreBehindSentinel(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartRedisSentinel(t)
	client := raw(t, sentinel.Servers[0])
	conform(t, openWatching, sentinelURL(sentinel), client, func(ctx context.Context) error { return client.FlushDB(ctx).Err() })
}

func newKey(t testing.TB) cache.Key {
	t.Helper()
	object, err := cloudmirror.ParseObject("https://origin.example/" + cloudmirror.NewID())
	if err != nil {
		t.Fatal(err)
	}
	return cache.KeyOf(object, cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"})
}

// claim makes a queued entry under the key, with a lease of a minute.
func claim(ctx context.Context, store cache.Store, key cache.Key) (cache.Snapshot, error) {
	return cache.Update(ctx, store, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		e, _ = e.Claim(now, cloudmirror.NewID(), cloudmirror.FirstGeneration, time.Minute)
		return e, nil
	})
}

// change makes a new present entry under the key, whatever it holds.
func change(ctx context.Context, store cache.Store, key cache.Key) error {
	_, err := cache.Update(ctx, store, key, cache.Snapshot{}, func(_ cache.Entry, now time.Time) (cache.Entry, error) {
		return cache.Entry{
			State: cache.Present, Generation: cloudmirror.NewGeneration(), Until: now.Add(time.Hour),
			Copy: cache.Copy{SizeBytes: 1, SHA256: cloudmirror.NewID()},
		}, nil
	})
	return err
}

func TestKeyLivesAsLongAsItsEntry(t *testing.T) {
	server := servers.StartRedis(t)
	store, client, key := openWatching(t, singleURL(server)), raw(t, server), newKey(t)
	if _, err := claim(t.Context(), store, key); err != nil {
		t.Fatal(err)
	}
	wantTTL(t, client, key, time.Minute+cache.KeepAfterLapse)
	if err := change(t.Context(), store, key); err != nil {
		t.Fatal(err)
	}
	wantTTL(t, client, key, time.Hour)
}

func wantTTL(t *testing.T, client *redis.Client, key cache.Key, want time.Duration) {
	t.Helper()
	got, err := client.PTTL(t.Context(), rediscache.DefaultPrefix+string(key)).Result()
	if err != nil || got > want+time.Second || got < want-patience {
		t.Errorf("the time to live is %v, want %v; error %v", got, want, err)
	}
}

func TestForeignKindOfValueReadsAsAbsentAndCanBeSwappedAway(t *testing.T) {
	server := servers.StartRedis(t)
	store, client, key := openWatching(t, singleURL(server)), raw(t, server), newKey(t)
	if err := client.RPush(t.Context(), rediscache.DefaultPrefix+string(key), "a", "b").Err(); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get(t.Context(), key)
	if err != nil || got.Entry.State != cache.Absent {
		t.Fatalf("the list reads as %s, error %v", got.Entry.State, err)
	}
	after, err := claim(t.Context(), store, key)
	if err != nil || after.Entry.State != cache.Queued {
		t.Errorf("after a claim the entry is %s, error %v", after.Entry.State, err)
	}
}

func TestPrefixesKeepDeploymentsApart(t *testing.T) {
	server := servers.StartRedis(t)
	key := newKey(t)
	one := open(t, rediscache.Options{URL: singleURL(server), Prefix: "one:"})
	other := open(t, rediscache.Options{URL: singleURL(server), Prefix: "other:"})
	if _, err := claim(t.Context(), one, key); err != nil {
		t.Fatal(err)
	}
	if got, err := other.Get(t.Context(), key); err != nil || got.Entry.State != cache.Absent {
		t.Errorf("the other deployment sees %s, error %v", got.Entry.State, err)
	}
}

func TestPrefixWithBracesIsAnError(t *testing.T) {
	_, err := rediscache.New(rediscache.Options{URL: "redis://127.0.0.1", Prefix: "{all}:"})
	if err == nil {
		t.Error("a prefix was accepted that puts all keys into one slot")
	}
}
