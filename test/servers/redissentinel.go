package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"cloudmirror/test/lab"
)

// RedisMasterName is the name by which sentinels of this package know the master.
const RedisMasterName = "main"

// A RedisSentinel is a master, its replica and one sentinel that decides alone
// and soon: it calls a server down after half a second.
type RedisSentinel struct {
	Servers  [2]*Redis // the first is the master at the start
	Sentinel *Process

	access  RedisAccess
	address string
}

// StartRedisSentinel starts the three and waits until a failover would succeed.
func StartRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	return RedisAccess{}.StartRedisSentinel(t)
}

// StartRedisSentinel is StartRedisSentinel for clients that have the access.
func (a RedisAccess) StartRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	args := []string{"--repl-diskless-sync-delay", "0", "--masterauth", a.Password}
	master := a.StartRedis(t, args...)
	replica := a.StartRedis(t, append(args, "--replicaof", "127.0.0.1 "+master.port)...)
	master.await(master.replicaOnline)

	port := FreePort(t)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // the sentinel rewrites it
	var lines []string
	for _, setting := range lab.RedisAccess(a).Settings(port) {
		lines = append(lines, setting[0]+" "+setting[1])
	}
	lines = append(lines,
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 1", RedisMasterName, master.port),
		fmt.Sprintf("sentinel down-after-milliseconds %s 500", RedisMasterName),
		fmt.Sprintf("sentinel failover-timeout %s 2000", RedisMasterName),
	)
	if a.Password != "" {
		lines = append(lines, fmt.Sprintf("sentinel auth-pass %s %s", RedisMasterName, a.Password))
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &RedisSentinel{Servers: [2]*Redis{master, replica}, access: a, address: "127.0.0.1:" + port}
	s.Sentinel = Start(t, s.InStep, nil, master.Command.Program, config, "--sentinel")
	return s
}

// Addr returns the sentinel's host and port.
func (s *RedisSentinel) Addr() string { return s.address }

// Master returns the server that the sentinel calls the master now.
func (s *RedisSentinel) Master(ctx context.Context) (*Redis, error) {
	client := s.client()
	defer client.Close()
	address, err := client.GetMasterAddrByName(ctx, RedisMasterName).Result()
	if err != nil {
		return nil, err
	}
	for _, server := range s.Servers {
		if server.port == address[1] {
			return server, nil
		}
	}
	return nil, fmt.Errorf("the sentinel names an unknown master: %v", address)
}

// Failover makes the sentinel promote the replica, and returns when it is the
// master. The old master is not told at once, as in life.
func (s *RedisSentinel) Failover(t testing.TB) {
	t.Helper()
	before, err := s.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := s.client()
	defer client.Close()
	if err := client.Failover(t.Context(), RedisMasterName).Err(); err != nil {
		t.Fatalf("sentinel failover: %v", err)
	}
	s.AwaitFailover(before)
}

// AwaitFailover waits until another server than before is the master.
func (s *RedisSentinel) AwaitFailover(before *Redis) {
	s.Sentinel.t.Helper()
	s.Sentinel.await(func(ctx context.Context) error {
		now, err := s.Master(ctx)
		if err == nil && now == before {
			err = errors.New("the master is still the same")
		}
		return err
	})
}

func (s *RedisSentinel) client() *redis.SentinelClient {
	return redis.NewSentinelClient(lab.RedisAccess(s.access).Options(s.address))
}

// InStep returns nil while the sentinel knows a replica that it could promote.
func (s *RedisSentinel) InStep(ctx context.Context) error {
	if err := lab.Accepts(s.address)(ctx); err != nil {
		return err
	}
	client := s.client()
	defer client.Close()
	replicas, err := client.Replicas(ctx, RedisMasterName).Result()
	if err != nil {
		return err
	}
	for _, replica := range replicas {
		if replica["flags"] == "slave" && replica["master-link-status"] == "ok" {
			return nil
		}
	}
	return errors.New("the sentinel knows no replica")
}

func (r *Redis) replicaOnline(ctx context.Context) error {
	client := r.client()
	defer client.Close()
	info, err := client.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(info, "state=online") {
		err = errors.New("the replica is not in step yet")
	}
	return err
}
