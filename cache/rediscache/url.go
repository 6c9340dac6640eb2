package rediscache

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cloudmirror/redisurl"
)

// Time limits of what a caller's context does not end earlier, where the URL
// names no others.
const (
	defaultDialTimeout = time.Second
	defaultReadTimeout = answerTimeout
)

// A deployment is what a URL names, with what the hot path needs.
type deployment redisurl.Deployment

// open returns a client, a *redis.ClusterClient or a *redis.Client, which
// connects when it is used.
func (d deployment) open() redis.UniversalClient {
	switch {
	case d.Cluster != nil:
		return redis.NewClusterClient(d.Cluster)
	case d.Sentinel != nil:
		return redis.NewFailoverClient(d.Sentinel)
	}
	return redis.NewClient(d.Single)
}

// Open connects to a Redis as a Store does, for another driver. It connects when the
// client is used, which the caller closes.
func Open(rawURL string) (redis.UniversalClient, error) {
	d, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return d.open(), nil
}

func parseURL(rawURL string) (deployment, error) {
	parsed, err := redisurl.Parse(rawURL)
	if err != nil {
		return deployment{}, fmt.Errorf("rediscache: the URL names no Redis: %w", err)
	}
	d := deployment(parsed)
	d.prepare()
	return d, nil
}

// prepare sets what the hot path needs. Contexts bound every call, and nothing is
// tried again behind the caller's back: a refused connection answers at once.
func (d deployment) prepare() {
	quiet := func() *maintnotifications.Config {
		return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	}
	switch {
	case d.Single != nil:
		o := d.Single
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, quiet()
		setDefaults(&o.MaxRetries, &o.DialerRetries, &o.PipelinePoolSize, &o.DialTimeout, &o.ReadTimeout)
	case d.Cluster != nil:
		o := d.Cluster
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, quiet()
		setDefaults(&o.MaxRetries, &o.DialerRetries, &o.PipelinePoolSize, &o.DialTimeout, &o.ReadTimeout)
	case d.Sentinel != nil:
		o := d.Sentinel
		o.ContextTimeoutEnabled = true
		setDefaults(&o.MaxRetries, &o.DialerRetries, &o.PipelinePoolSize, &o.DialTimeout, &o.ReadTimeout)
	}
}

func setDefaults(maxRetries, dialerRetries, pipelinePool *int, dial, read *time.Duration) {
	if *maxRetries == 0 {
		*maxRetries = -1 // none
	}
	if *dialerRetries == 0 {
		*dialerRetries = 1
	}
	if *pipelinePool == 0 {
		*pipelinePool = -1 // no pipelines here
	}
	if *dial == 0 {
		*dial = defaultDialTimeout
	}
	if *read == 0 {
		*read = defaultReadTimeout
	}
}
