package rediscache

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Time limits of what a caller's context does not end earlier, where the URL
// names no others.
const (
	defaultDialTimeout = time.Second
	defaultReadTimeout = answerTimeout
)

// A deployment is what a URL names: exactly one of the three is set.
type deployment struct {
	single   *redis.Options
	cluster  *redis.ClusterOptions
	sentinel *redis.FailoverOptions
}

// open returns a client, a *redis.ClusterClient or a *redis.Client, which
// connects when it is used.
func (d deployment) open() redis.UniversalClient {
	switch {
	case d.cluster != nil:
		return redis.NewClusterClient(d.cluster)
	case d.sentinel != nil:
		return redis.NewFailoverClient(d.sentinel)
	}
	return redis.NewClient(d.single)
}

// CheckURL reports what New would find wrong with a URL. The forms are
//
//	redis://user:password@host:6379/0
//	redis+cluster://user:password@host:6379?addr=host2:6379&addr=host3:6379
//	redis+sentinel://user:password@sentinel:26379/0?master_name=main&addr=sentinel2:26379&password=…
//
// and the same with rediss for TLS. With Sentinel, the user and password before
// the @ are for the sentinels; those of the Redis servers are the parameters
// username and password. The other parameters are those of go-redis, such as
// pool_size and dial_timeout
// (https://pkg.go.dev/github.com/redis/go-redis/v9#ParseURL). The error never
// repeats the URL.
func CheckURL(rawURL string) error {
	_, err := parseURL(rawURL)
	return err
}

func parseURL(rawURL string) (deployment, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// What the parser says may be a part of the password.
		return deployment{}, errors.New("rediscache: the URL cannot be parsed; in user and password, all but letters and digits must be percent-encoded")
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.Fragment, "@") {
		return deployment{}, errors.New("rediscache: the URL has an @ behind its host; in user and password, / ? # @ must be percent-encoded")
	}
	if u.Hostname() == "" {
		return deployment{}, errors.New("rediscache: the URL has no host")
	}
	if !regexp.MustCompile(`^/?[0-9]*$`).MatchString(u.Path) {
		return deployment{}, errors.New("rediscache: the path of the URL must be a database number, as in redis://host:6379/0")
	}
	scheme, kind, _ := strings.Cut(u.Scheme, "+")
	u.Scheme = scheme
	var d deployment
	switch {
	case scheme != "redis" && scheme != "rediss":
		err = errors.New("redis: unknown scheme")
	case kind == "":
		d.single, err = redis.ParseURL(u.String())
	case kind == "cluster":
		d.cluster, err = parseClusterURL(u)
	case kind == "sentinel":
		d.sentinel, err = parseSentinelURL(u)
	default:
		err = errors.New("redis: unknown scheme")
	}
	if err != nil {
		return deployment{}, fmt.Errorf("rediscache: the URL is none of redis://, redis+cluster:// and redis+sentinel:// (or rediss for TLS) with the parameters of go-redis: %s",
			strings.TrimPrefix(err.Error(), "redis: "))
	}
	d.prepare()
	return d, nil
}

func parseClusterURL(u *url.URL) (*redis.ClusterOptions, error) {
	if strings.Trim(u.Path, "/0") != "" {
		return nil, errors.New("a Cluster has the database 0 only")
	}
	return redis.ParseClusterURL(u.String())
}

func parseSentinelURL(u *url.URL) (*redis.FailoverOptions, error) {
	options, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, err
	}
	if options.MasterName == "" {
		return nil, errors.New("a Sentinel needs the parameter master_name")
	}
	if options.ReplicaOnly || options.RouteByLatency || options.RouteRandomly {
		return nil, errors.New("a replica cannot serve as a cache")
	}
	return options, nil
}

// prepare sets what the hot path needs. Contexts bound every call, and nothing is
// tried again behind the caller's back: a refused connection answers at once.
func (d deployment) prepare() {
	quiet := func() *maintnotifications.Config {
		return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	}
	switch {
	case d.single != nil:
		o := d.single
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, quiet()
		setDefaults(&o.MaxRetries, &o.DialerRetries, &o.PipelinePoolSize, &o.DialTimeout, &o.ReadTimeout)
	case d.cluster != nil:
		o := d.cluster
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, quiet()
		setDefaults(&o.MaxRetries, &o.DialerRetries, &o.PipelinePoolSize, &o.DialTimeout, &o.ReadTimeout)
	case d.sentinel != nil:
		o := d.sentinel
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
