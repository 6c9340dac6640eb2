package rediscache_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

// A connection that is refused says nothing of an entry, also to reads that go
// together.
func TestARefusedConnectionIsNoAbsence(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "right")
	store, key := open(t, rediscache.Options{URL: "redis://:wrong@" + server.Addr()}), newKey(t)
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() {
			if at, err := store.Get(t.Context(), key); err == nil {
				t.Errorf("the entry is %s", at.Entry.State)
			}
		})
	}
	running.Wait()
}

// A server that answers and refuses changes is down: nothing can be claimed.
func TestPingWrites(t *testing.T) {
	t.Parallel()
	t.Run("one master of a Cluster", func(t *testing.T) {
		cluster := servers.StartRedisCluster(t)
		store := openWatching(t, clusterURL(cluster))
		if err := store.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		full := redis.NewClient(&redis.Options{Addr: cluster.Addrs()[1]})
		defer full.Close()
		if err := full.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatal(err)
		}
		if err := store.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "OOM command not allowed") {
			t.Errorf("with one master that is full: %v", err)
		}
	})
	t.Run("a user who may not", func(t *testing.T) {
		server := servers.StartRedis(t)
		if err := raw(t, server).Do(t.Context(), "acl", "setuser", "reader", "on", ">secret", "-@all", "~*", "&*", "+get", "+ping").Err(); err != nil {
			t.Fatal(err)
		}
		store := open(t, rediscache.Options{URL: "redis://reader:secret@" + server.Addr()})
		if err := store.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("for a user who may only read: %v", err)
		}
	})
	t.Run("the key goes by itself", func(t *testing.T) {
		server := servers.StartRedis(t)
		store := openWatching(t, singleURL(server))
		if err := store.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if life, err := raw(t, server).PTTL(t.Context(), "cloudmirror:ping:{0}").Result(); err != nil || life <= 0 || life > 5*time.Second {
			t.Errorf("its key lives %v, error %v", life, err)
		}
	})
}
