package rediscache

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/redisurl"
)

// A NodeReport is what one Redis server tells about itself.
type NodeReport struct {
	Name      string        // host:port, or what Sentinel is asked for
	Ahead     time.Duration // of its clock, before this machine's
	RoundTrip time.Duration // the shortest of some
	// Tracking is why the user may not hear of changes; nil: it may.
	Tracking error
	// Writing is why an entry cannot be made, changed and removed; nil: it can.
	Writing error
	// Info is why the rest is not known: the user may not ask for it.
	Info           error
	Version        string // such as 7.0.15
	Replica        bool   // it refuses writes
	MaxMemoryBytes int64  // 0: not bounded
	EvictionPolicy string // such as noeviction
}

// operatorTimeout bounds Inspect, and what it asks of one server.
const operatorTimeout = 5 * time.Second

// inspections is how often the clock is read, for the shortest round trip.
const inspections = 5

// Inspect asks the servers of a Redis, all masters of a Cluster, about themselves.
// On each it makes a key below the prefix and removes it. The error is one of the
// options, of which the URL and the prefix count, why a server does not answer, or
// an ErrMode.
// Now is our clock.
func Inspect(ctx context.Context, o Options, now func() time.Time) ([]NodeReport, error) {
	d, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	opened := d.open()
	defer opened.Close()
	var mu sync.Mutex
	var reports []NodeReport
	inspectNode := func(ctx context.Context, c *redis.Client, tag string) error {
		r, err := inspect(ctx, c, o.Prefix, now)
		if err == nil && tag != "" {
			r.Writing = tryWriting(ctx, c, o.Prefix+"{"+tag+"}:doctor:"+cloudmirror.NewID())
		}
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, r)
		return err
	}
	switch c := opened.(type) {
	case *redis.ClusterClient:
		var tags map[string]string
		if tags, err = tagsOf(ctx, c); err == nil {
			err = c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return inspectNode(ctx, m, tags[m.Options().Addr]) })
		}
	case *redis.Client:
		if err = CheckMode(ctx, c); err == nil {
			err = inspectNode(ctx, c, "0")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look at Redis: %w", cloudmirror.At(redisurl.Deployment(d).Address(), err))
	}
	return reports, nil
}

func inspect(ctx context.Context, c *redis.Client, prefix string, now func() time.Time) (NodeReport, error) {
	r := NodeReport{Name: c.Options().Addr}
	for range inspections {
		asked := now()
		told, err := c.Time(ctx).Result()
		if err != nil {
			return r, err
		}
		if trip := now().Sub(asked); r.RoundTrip == 0 || trip < r.RoundTrip {
			r.RoundTrip, r.Ahead = trip, told.Sub(asked.Add(trip/2))
		}
	}
	r.Tracking = tryTracking(ctx, c, prefix)
	text, err := c.Info(ctx).Result()
	r.Info = err
	values := parseInfo(text)
	r.Version, r.EvictionPolicy = values["redis_version"], values["maxmemory_policy"]
	r.Replica = values["role"] == "slave"
	r.MaxMemoryBytes, _ = strconv.ParseInt(values["maxmemory"], 10, 64) // not told: not bounded
	return r, nil
}

// tagsOf returns a hash tag for each master of a Cluster, by its address.
func tagsOf(ctx context.Context, c *redis.ClusterClient) (map[string]string, error) {
	nodes, err := clusterNodes(c)(ctx)
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(nodes))
	for _, n := range nodes {
		tags[n.name] = n.tag
	}
	return tags, nil
}

// tryTracking asks for what listeners ask for: tracking, on a connection that is
// closed then, and a subscription.
func tryTracking(ctx context.Context, c *redis.Client, prefix string) error {
	conn := c.Conn()
	defer conn.Close()
	if err := conn.Do(ctx, "client", "tracking", "on", "bcast", "prefix", prefix).Err(); err != nil {
		return err
	}
	if err := conn.Do(ctx, "client", "tracking", "off").Err(); err != nil {
		return err
	}
	news := c.Subscribe(ctx, prefix+wakeChannel)
	defer news.Close()
	_, err := news.ReceiveTimeout(ctx, operatorTimeout)
	return err
}

// trialValue is no entry: a reader takes the key for absent.
const trialValue = "doctor"

// tryWriting makes and removes a key by the script that changes entries, so that
// it needs the same permissions. The key goes by itself if it cannot be removed.
func tryWriting(ctx context.Context, c *redis.Client, key string) error {
	swap := redis.NewScript(swapSource)
	for _, change := range []struct {
		old, next string
		gone      time.Duration // from now on, by the server's clock; 0: the key is removed
	}{{"", trialValue, operatorTimeout}, {trialValue, "", 0}} {
		now, err := c.Time(ctx).Result()
		if err != nil {
			return err
		}
		answer, err := parseReply(swap.Run(ctx, c, []string{key},
			change.old, change.next, now.Add(change.gone).UnixMilli(), now.UnixMilli(), operatorTimeout.Milliseconds(), foreign))
		if err != nil {
			return err
		}
		if !answer.swapped {
			return fmt.Errorf("%s holds %q", key, answer.stored)
		}
	}
	return nil
}

// parseInfo reads the answer to INFO: name:value in each line.
func parseInfo(text string) map[string]string {
	values := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, value, found := strings.Cut(strings.TrimSpace(lines.Text()), ":"); found {
			values[name] = value
		}
	}
	return values
}
