package lab

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// RedisCommand returns the command of a redis-server on a port, for clients that
// have the access, with its files in dir. Without other arguments it keeps nothing
// on disk: it is empty after a restart.
func RedisCommand(a RedisAccess, port, dir string, args ...string) (Command, error) {
	program, err := Find("redis-server", "apt-get install redis-server")
	c := Command{Program: program}
	for _, setting := range a.Settings(port) {
		c.Args = append(c.Args, "--"+setting[0], setting[1])
	}
	c.Args = append(c.Args, "--save", "", "--appendonly", "no", "--dir", dir)
	c.Args = append(c.Args, args...)
	address := "127.0.0.1:" + port
	accepts := Accepts(address)
	c.Ready = func(ctx context.Context) error {
		if err := accepts(ctx); err != nil {
			return err // spares the client's own tries, and their log
		}
		client := redis.NewClient(a.Options(address))
		defer client.Close()
		if err := client.Ping(ctx).Err(); err != nil && !redis.HasErrorPrefix(err, "NOAUTH") {
			return err
		}
		return nil // it answers, be it only that a password is missing
	}
	return c, err
}
