package rediscache

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// ErrMode is the error of a server that needs another form of URL: a node of a
// Cluster or a Sentinel behind a plain redis://.
var ErrMode = errors.New("cache.redis.url has the form for a single server")

// CheckMode returns an ErrMode for a node of a Cluster, which refuses the keys of
// other nodes, and for a Sentinel, which has no keys. It asks by HELLO, which every
// user may send (https://redis.io/docs/latest/commands/hello/). A server that does
// not tell its mode is taken for a single one.
func CheckMode(ctx context.Context, client redis.UniversalClient) error {
	c, isOne := client.(*redis.Client)
	if !isOne { // a client of a Cluster
		return nil
	}
	hello := redis.NewMapStringInterfaceCmd(ctx, "hello") // without a version: the connection keeps its own
	if err := c.Process(ctx, hello); err != nil {
		if reply := redis.Error(nil); errors.As(err, &reply) {
			return nil // before version 6.2 it needs a version
		}
		return err
	}
	switch hello.Val()["mode"] {
	case "cluster":
		return fmt.Errorf("%s is a node of a Redis Cluster, and refuses the keys of its other nodes: %w; it must begin with redis+cluster://", c.Options().Addr, ErrMode)
	case "sentinel":
		return fmt.Errorf("%s is a Sentinel, and holds no keys: %w; it must begin with redis+sentinel:// and have the parameter master_name", c.Options().Addr, ErrMode)
	}
	return nil
}
