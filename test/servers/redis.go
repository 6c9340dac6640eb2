package servers

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A Redis is one redis-server. Without other arguments it keeps nothing on disk.
type Redis struct {
	*Process
	program string
	access  RedisAccess
	port    string
	args    []string
}

// StartRedis starts a redis-server on a free port. The arguments are added to
// its command line, as in "--requirepass", "secret".
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return RedisAccess{}.StartRedis(t, args...)
}

// StartRedis is StartRedis for clients that have the access.
func (a RedisAccess) StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := &Redis{program: find(t, "redis-server", "apt-get install redis-server"), access: a, port: FreePort(t)}
	for _, setting := range a.settings(r.port) {
		r.args = append(r.args, "--"+setting[0], setting[1])
	}
	r.args = append(r.args, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	r.args = append(r.args, args...)
	r.Process = Start(t, r.ready, nil, r.program, r.args...)
	return r
}

// Addr returns the server's host and port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", r.port) }

// Restart starts the server again on its port, after a Kill. It is empty then.
func (r *Redis) Restart() {
	r.t.Helper()
	r.Process = Start(r.t, r.ready, nil, r.program, r.args...)
}

// ready succeeds once the server answers, be it only that a password is missing.
func (r *Redis) ready(ctx context.Context) error {
	if err := dial(ctx, r.Addr()); err != nil {
		return err // spares the client's own tries, and their log
	}
	client := r.client()
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil && !redis.HasErrorPrefix(err, "NOAUTH") {
		return err
	}
	return nil
}

// client returns a client that neither retries nor lingers.
func (r *Redis) client() *redis.Client { return redis.NewClient(r.access.options(r.Addr())) }
