package rediscache_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

func TestClusterMasterComesBack(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	await(t, "both stores send the master canaries that it holds", func() error {
		names, err := from.Keys(ctx, rediscache.DefaultPrefix+"canary:*").Result()
		senders := make(map[string]bool)
		for _, name := range names {
			senders[name[:strings.LastIndex(name, ":")]] = true
		}
		if err == nil && len(senders) != 2 {
			err = fmt.Errorf("it holds those of %v", senders)
		}
		return err
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
