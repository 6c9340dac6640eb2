package rediscache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror/provision"
)

// ownerKey is the key behind the prefix that holds the id of the deployment whose
// entries are there. Only provisioning writes it; a flush removes it.
const ownerKey = "deployment"

// operatorTimeout bounds what people wait for.
const operatorTimeout = 5 * time.Second

// Provision returns the mark of a deployment on its prefix of a Redis. One of
// another deployment is provision.ErrForeign, or taken over if adopt is set. The
// error is about the options, of which the URL and the prefix count.
func Provision(o Options, owner string, adopt bool) (provision.Resource, error) {
	d, err := parseURL(o.URL)
	if err != nil {
		return provision.Resource{}, err
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	m := &mark{deployment: d, key: o.Prefix + ownerKey, owner: owner, adopt: adopt}
	return provision.Resource{Kind: provision.Cache, Name: o.Prefix, Plan: m.plan}, nil
}

type mark struct {
	deployment deployment
	key, owner string
	adopt      bool
}

// with calls f with a client, within operatorTimeout.
func (m *mark) with(ctx context.Context, f func(context.Context, redis.UniversalClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	client := m.deployment.open()
	defer client.Close()
	if single, ok := client.(*redis.Client); ok {
		if err := checkMode(ctx, single); err != nil {
			return err
		}
	}
	return f(ctx, client)
}

func (m *mark) plan(ctx context.Context) (provision.Step, error) {
	is := ""
	err := m.with(ctx, func(ctx context.Context, c redis.UniversalClient) (err error) {
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
	err := m.with(ctx, func(ctx context.Context, c redis.UniversalClient) error { return c.Set(ctx, m.key, m.owner, 0).Err() })
	if err != nil {
		return fmt.Errorf("rediscache: write %s: %w", m.key, err)
	}
	return nil
}
