package rediskv_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/kv/kvtest"
	"cloudmirror/kv/rediskv"
	"cloudmirror/test/servers"
)

func TestSingle(t *testing.T) {
	addr := servers.StartRedis(t).Addr()
	suite(t, func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) })
}

func TestCluster(t *testing.T) {
	addrs := servers.StartRedisCluster(t).Addrs()
	suite(t, func() redis.UniversalClient { return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs}) })
}

func suite(t *testing.T, open func() redis.UniversalClient) {
	t.Helper()
	kvtest.Run(t, func(t *testing.T, test func(*testing.T, kvtest.Harness)) {
		client, peer := open(), open()
		t.Cleanup(func() { _, _ = client.Close(), peer.Close() })
		test(t, kvtest.Harness{
			Store: rediskv.New(client, "cloudmirror:"), Peer: rediskv.New(peer, "cloudmirror:"),
			Advance: func(d time.Duration) { <-time.After(d) },
		})
	})
}
