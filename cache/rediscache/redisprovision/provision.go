package redisprovision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/cache/rediscache"
	"cloudmirror/provision"
)

// ownerKey is the key behind the prefix that holds the id of the deployment whose
// entries are there. Only provisioning writes it; a flush removes it.
const ownerKey = "deployment"

// timeout bounds a look at the mark, and a change of it.
const timeout = 5 * time.Second

// Provision returns the mark of a deployment on its prefix of a Redis. Of the options,
// the URL and the prefix count. Where another deployment's mark is, the error of the
// plan is provision.ErrForeign, unless adopt is set: then the mark is replaced.
func Provision(o rediscache.Options, owner string, adopt bool) provision.Resource {
	prefix := cmp.Or(o.Prefix, rediscache.DefaultPrefix)
	m := &mark{url: o.URL, key: prefix + ownerKey, owner: owner, adopt: adopt}
	return provision.Resource{Kind: provision.Cache, Name: prefix, Plan: m.plan}
}

type mark struct {
	url, key, owner string
	adopt           bool
}

// withClient calls f with a client, within timeout.
func (m *mark) withClient(ctx context.Context, f func(context.Context, redis.UniversalClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := rediscache.Open(m.url)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := rediscache.CheckMode(ctx, client); err != nil {
		return err
	}
	return f(ctx, client)
}

func (m *mark) plan(ctx context.Context) (provision.Step, error) {
	is := ""
	err := m.withClient(ctx, func(ctx context.Context, c redis.UniversalClient) (err error) {
		is, err = c.Get(ctx, m.key).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return provision.Step{}, fmt.Errorf("rediscache: read %s: %w", m.key, err)
	case is == m.owner:
		return provision.Step{Action: provision.OK}, nil
	case is == "":
		return provision.Step{Action: provision.Create, Details: []string{"key " + m.key + ": " + m.owner}, Apply: m.set}, nil
	case !m.adopt:
		return provision.Step{}, fmt.Errorf("%w: the key %s says %s, and ours would be %s", provision.ErrForeign, m.key, is, m.owner)
	}
	return provision.Step{Action: provision.Change, Details: []string{"key " + m.key + ": " + m.owner + ", not " + is}, Apply: m.set}, nil
}

func (m *mark) set(ctx context.Context) error {
	err := m.withClient(ctx, func(ctx context.Context, c redis.UniversalClient) error { return c.Set(ctx, m.key, m.owner, 0).Err() })
	if err != nil {
		return fmt.Errorf("rediscache: write %s: %w", m.key, err)
	}
	return nil
}
