package main

import (
	"context"
	"fmt"
	"strings"

	"cloudmirror/test/lab"

	"github.com/redis/go-redis/v9"
)

// A redisServer is one redis-server and a client past the proxies.
type redisServer struct {
	*lab.Process
	address string
	client  *redis.Client
}

func (d *deployment) startRedis(ctx context.Context) error {
	for i := range d.redis {
		port, err := lab.FreePort()
		if err != nil {
			return err
		}
		args := []string{"--dbfilename", fmt.Sprintf("redis-%d.rdb", i+1), "--repl-diskless-sync-delay", "0"}
		if i > 0 {
			args = append(args, "--replicaof", strings.Replace(d.redis[0].address, ":", " ", 1))
		}
		command, err := lab.RedisCommand(lab.RedisAccess{}, port, d.dir, args...)
		if err != nil {
			return err
		}
		s := &redisServer{address: "127.0.0.1:" + port}
		if s.Process, err = d.start(ctx, fmt.Sprintf("redis-%d", i+1), command); err != nil {
			return err
		}
		d.own(s.Kill)
		s.client = redis.NewClient(&redis.Options{Addr: s.address, ContextTimeoutEnabled: true})
		d.redis[i] = s
	}
	return nil
}
