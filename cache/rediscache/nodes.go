package rediscache

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A node is one server whose changes must be listened to.
type node struct {
	name    string         // to tell nodes apart, and for logs
	options *redis.Options // how the data client connects to it
	// tag is a hash tag whose keys the node holds, for its canary. "": none was
	// found, since the node has hardly any slots.
	tag string
}

// A nodesFunc lists the nodes that hold keys now.
type nodesFunc func(ctx context.Context) ([]node, error)

// oneNode lists the one node of a client. With Sentinel its dialler asks, for
// each connection, which server is the master.
func oneNode(client *redis.Client) nodesFunc {
	nodes := []node{{name: client.Options().Addr, options: client.Options(), tag: "0"}}
	return func(context.Context) ([]node, error) { return nodes, nil }
}

// maxTags bounds the search for hash tags that fall to each master. A master
// with one slot in a hundred is missed once in 10^18 times.
const maxTags = 4096

// clusterNodes lists the masters of a Cluster, from a fresh look at its slots.
func clusterNodes(client *redis.ClusterClient) nodesFunc {
	return func(ctx context.Context) ([]node, error) {
		var mu sync.Mutex
		found := make(map[string]*node)
		err := client.ForEachMaster(ctx, func(_ context.Context, master *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			address := master.Options().Addr
			found[address] = &node{name: address, options: master.Options()}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list the masters of the Cluster: %w", err)
		}
		untagged := len(found)
		for i := 0; i < maxTags && untagged > 0; i++ {
			tag := fmt.Sprint(i)
			master, err := client.MasterForKey(ctx, "{"+tag+"}")
			if err != nil {
				return nil, fmt.Errorf("find a master of the Cluster: %w", err)
			}
			if n := found[master.Options().Addr]; n != nil && n.tag == "" {
				n.tag = tag
				untagged--
			}
		}
		nodes := make([]node, 0, len(found))
		for _, n := range found {
			nodes = append(nodes, *n)
		}
		return nodes, nil
	}
}
