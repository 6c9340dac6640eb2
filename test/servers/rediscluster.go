package servers

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

const (
	clusterMasters = 3
	clusterSlots   = 16384
)

// A RedisCluster is a Redis Cluster of three masters without replicas.
type RedisCluster struct {
	Masters []*Redis
}

// StartRedisCluster starts the masters, divides the slots among them and waits
// until each says that the cluster is well.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	return RedisAccess{}.StartRedisCluster(t)
}

// StartRedisCluster is StartRedisCluster for clients that have the access.
func (a RedisAccess) StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	ofTLS := map[bool]string{false: "no", true: "yes"}[a.TLS != nil]
	c := new(RedisCluster)
	buses := make([]string, clusterMasters)
	for i := range clusterMasters {
		buses[i] = FreePort(t) // the default, port+10000, may not exist
		c.Masters = append(c.Masters, a.StartRedis(t,
			"--cluster-enabled", "yes", "--tls-cluster", ofTLS, "--cluster-port", buses[i], "--cluster-node-timeout", "2000"))
	}
	for i, master := range c.Masters {
		first, last := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1
		master.do(t, "cluster", "addslotsrange", first, last)
		master.do(t, "cluster", "set-config-epoch", i+1)
		for _, earlier := range c.Masters[:i] { // each of them, as hearing of it from others takes seconds
			earlier.do(t, "cluster", "meet", "127.0.0.1", master.port, buses[i])
		}
	}
	for _, master := range c.Masters {
		master.await(master.joined)
	}
	return c
}

// Addrs returns the addresses of the masters.
func (c *RedisCluster) Addrs() []string {
	addresses := make([]string, len(c.Masters))
	for i, master := range c.Masters {
		addresses[i] = master.Addr()
	}
	return addresses
}

// joined succeeds once the node knows all others and serves all slots.
func (r *Redis) joined(ctx context.Context) error {
	client := r.client()
	defer client.Close()
	info, err := client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	for _, want := range []string{"cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d", clusterMasters)} {
		if !strings.Contains(info, want) {
			return fmt.Errorf("the cluster info lacks %s", want)
		}
	}
	return nil
}

// do runs one command on the server; an error fails the test.
func (r *Redis) do(t testing.TB, args ...any) {
	t.Helper()
	client := r.client()
	defer client.Close()
	if err := client.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("redis: %v: %v", args, err)
	}
}
