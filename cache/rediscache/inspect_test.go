package rediscache_test

import (
	"testing"
	"time"

	"cloudmirror/cache/rediscache"
	"cloudmirror/test/servers"
)

func TestInspectAsksEveryMaster(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t)
	ahead := func() time.Time { return time.Now().Add(-time.Hour) } // the servers are, of us
	nodes, err := rediscache.Inspect(t.Context(), rediscache.Options{URL: clusterURL(cluster), Prefix: "test:"}, ahead)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%d nodes, error %v", len(nodes), err)
	}
	for _, n := range nodes {
		if n.Version == "" || n.Replica || n.EvictionPolicy != "noeviction" || n.MaxMemoryBytes != 0 || n.Tracking != nil || n.Writing != nil || n.Info != nil {
			t.Errorf("%+v", n)
		}
		if (n.Ahead - time.Hour).Abs() > time.Minute {
			t.Errorf("its clock is said to be %v ahead", n.Ahead)
		}
	}
}
