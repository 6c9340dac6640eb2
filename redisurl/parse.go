package redisurl

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// defaultSentinelPort is where sentinels listen
// (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/).
const defaultSentinelPort = "26379"

// A Deployment is what a URL names: exactly one of the three is set.
type Deployment struct {
	Single   *redis.Options
	Cluster  *redis.ClusterOptions
	Sentinel *redis.FailoverOptions
}

// Parse returns the Redis that a URL names. The forms are
//
//	redis://user:password@host:6379/0
//	unix://user:password@/run/redis.sock?db=0
//	redis+cluster://user:password@host:6379?addr=host2:6379&addr=host3:6379
//	redis+sentinel://user:password@sentinel:26379/0?master_name=main&addr=sentinel2:26379&password=…
//
// and the same, but for unix, with rediss for TLS. With Sentinel, the user and
// password before the @ are for the sentinels; those of the Redis servers are the
// parameters username and password. The other parameters are those of go-redis,
// such as pool_size and dial_timeout
// (https://pkg.go.dev/github.com/redis/go-redis/v9#ParseURL). The error is a
// clause that says what is wrong and what is allowed; it never repeats the URL, and
// nothing of a password.
func Parse(rawURL string) (Deployment, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// What the parser says may be a part of the password.
		return Deployment{}, errors.New("it cannot be parsed; in user and password, all but letters and digits must be percent-encoded")
	}
	if err := check(u); err != nil {
		return Deployment{}, err
	}
	scheme, kind, _ := strings.Cut(u.Scheme, "+")
	u.Scheme = scheme
	var d Deployment
	switch kind {
	case "":
		d.Single, err = redis.ParseURL(u.String())
		err = parameterError(err)
	case "cluster":
		d.Cluster, err = parseCluster(u)
	case "sentinel":
		d.Sentinel, err = parseSentinel(u)
	}
	if err != nil {
		return Deployment{}, err
	}
	return d, nil
}

// parameterError words what go-redis says of what check has let through.
func parameterError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("its parameters must be those of go-redis: %s", strings.TrimPrefix(err.Error(), "redis: "))
}

// check reports what go-redis would accept, and what means nothing here or
// something else.
func check(u *url.URL) error {
	if !regexp.MustCompile(`^(unix|rediss?(\+cluster|\+sentinel)?)$`).MatchString(u.Scheme) {
		return errors.New("it must begin with redis://, redis+cluster:// or redis+sentinel:// (or rediss for TLS), or with unix://")
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.Fragment, "@") {
		return errors.New("it has an @ behind its host; in user and password, / ? # @ must be percent-encoded")
	}
	for parameter := range strings.SplitSeq(u.RawQuery, "&") {
		if parameter != "" && !strings.Contains(parameter, "=") {
			return errors.New("it has a parameter without =; in a password, & must be percent-encoded")
		}
	}
	if u.Scheme == "unix" {
		if u.Host != "" || u.Path == "" {
			return errors.New("a socket needs an absolute path, as in unix:///run/redis.sock")
		}
		return nil
	}
	if u.Hostname() == "" {
		return errors.New("it has no host, as in redis://host:6379/0")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return errors.New("its port must be a number up to 65535")
	}
	if !regexp.MustCompile(`^/?[0-9]*$`).MatchString(u.Path) {
		return errors.New("its path must be a database number, as in redis://host:6379/0")
	}
	return nil
}

// errReplica refuses reads that may be older than the last write.
var errReplica = errors.New("it must not set read_only, replica_only, route_by_latency and route_randomly: a replica cannot serve as a cache")

func parseCluster(u *url.URL) (*redis.ClusterOptions, error) {
	if strings.Trim(u.Path, "/0") != "" {
		return nil, errors.New("it must name the database 0: a Cluster has no other")
	}
	options, err := redis.ParseClusterURL(u.String())
	if err != nil {
		return nil, parameterError(err)
	}
	if options.ReadOnly || options.RouteByLatency || options.RouteRandomly {
		return nil, errReplica
	}
	return options, nil
}

func parseSentinel(u *url.URL) (*redis.FailoverOptions, error) {
	if u.Port() == "" {
		u.Host = strings.TrimSuffix(u.Host, ":") + ":" + defaultSentinelPort
	}
	options, err := redis.ParseFailoverURL(u.String())
	if err != nil {
		return nil, parameterError(err)
	}
	if options.MasterName == "" {
		return nil, errors.New("it needs the parameter master_name: sentinels know their masters by name")
	}
	if options.ReplicaOnly || options.RouteByLatency || options.RouteRandomly {
		return nil, errReplica
	}
	return options, nil
}
