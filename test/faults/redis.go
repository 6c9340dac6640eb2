package main

import (
	"context"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

// A redisServer is one redis-server and a client past the proxies.
type redisServer struct {
	*process
	address string
	client  *redis.Client
}

func (d *deployment) startRedis(ctx context.Context) error {
	path, err := find("redis-server")
	if err != nil {
		return err
	}
	for i := range d.redis {
		address, err := d.freeAddress()
		if err != nil {
			return err
		}
		_, port, _ := cut(address)
		s := &redisServer{address: address, client: redis.NewClient(&redis.Options{Addr: address, ContextTimeoutEnabled: true})}
		args := []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", d.dir, "--dbfilename", fmt.Sprintf("redis-%d.rdb", i+1), "--repl-diskless-sync-delay", "0"}
		if i > 0 {
			_, first, _ := cut(d.redis[0].address)
			args = append(args, "--replicaof", "127.0.0.1 "+first)
		}
		s.process, err = d.start(ctx, program{
			name: fmt.Sprintf("redis-%d", i+1), path: path, args: args, ready: accepts(address),
		})
		if err != nil {
			return err
		}
		d.own(s.kill)
		d.redis[i] = s
	}
	return nil
}

// cut splits an address.
func cut(address string) (host, port string, err error) { return net.SplitHostPort(address) }
