package servers

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"cloudmirror/test/lab"
)

// A Redis is one redis-server. Without other arguments it keeps nothing on disk.
type Redis struct {
	*Process
	access RedisAccess
	port   string
}

// A RedisAccess is what clients of a Redis need. The zero value: nothing.
type RedisAccess lab.RedisAccess

// NewCertificate makes a certificate of 127.0.0.1 that is good until the end of the
// test.
func NewCertificate(t testing.TB) *lab.Certificate {
	t.Helper()
	c, err := lab.NewCertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
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
	r := &Redis{access: a, port: FreePort(t)}
	c, err := lab.RedisCommand(lab.RedisAccess(a), r.port, t.TempDir(), args...)
	r.Process = start(t, c, err)
	return r
}

// Addr returns the server's host and port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", r.port) }

// Restart starts the server again on its port, after a Kill. It is empty then.
func (r *Redis) Restart() {
	r.t.Helper()
	if err := r.Process.Restart(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
}

// client returns a client that neither retries nor lingers.
func (r *Redis) client() *redis.Client {
	return redis.NewClient(lab.RedisAccess(r.access).Options(r.Addr()))
}
