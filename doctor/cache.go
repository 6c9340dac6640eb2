package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloudmirror"
	"cloudmirror/cache/rediscache"
)

// minRedisMajor is the first version of Redis that tells clients of changed keys
// (CLIENT TRACKING).
const minRedisMajor = 6

// cache checks each server of the cache. It returns whether a deployment can write
// entries to all of them.
func (e *examination) cache(ctx context.Context) (isUsable bool) {
	nodes, err := e.Cache(ctx)
	if errors.Is(err, rediscache.ErrMode) {
		e.report(Finding{
			CacheMode, Error, "cache", cloudmirror.Brief(err),
			"write cache.redis.url as redis+cluster:// or redis+sentinel://: `cloudmirror config example` shows both",
		})
		return false
	}
	if err != nil {
		e.report(Finding{
			CacheUnreachable, Error, "cache", cloudmirror.Brief(err),
			"check cache.redis.url, the network and the password; until then clients get copies that storage knows, else the origin",
		})
		return false
	}
	isUsable = true
	for _, n := range nodes {
		isUsable = isUsable && n.Writing == nil
		subject := "cache " + n.Name
		e.clock(subject, n.Ahead)
		e.node(subject, n)
		e.done(subject)
	}
	return isUsable
}

func (e *examination) node(subject string, n rediscache.NodeReport) {
	if n.Writing != nil && !n.Replica {
		e.report(Finding{
			CacheUnwritable, Error, subject,
			fmt.Sprintf("entries cannot be written: %s", cloudmirror.Brief(n.Writing)),
			"do what Redis says, and allow the user eval, evalsha, get, set, del and time, on keys that begin with cache.redis.prefix",
		})
	}
	if n.Tracking != nil {
		e.report(Finding{
			CacheTracking, Warning, subject,
			fmt.Sprintf("it does not tell of changes (%s): each hit asks it, and waiting clients poll slowly", cloudmirror.Brief(n.Tracking)),
			"allow the user client|tracking and the channels that begin with cache.redis.prefix, and let no proxy without them be in between",
		})
	}
	if near := e.Config.Cache.Redis.Near; near.MemoryBytes > 0 && n.RoundTrip > near.Delta/4 {
		e.report(Finding{
			CacheFar, Warning, subject,
			fmt.Sprintf("a round trip takes %v, too long for a near cache whose delta is %v", n.RoundTrip, near.Delta),
			"run it from where the front ends are; if it is as far from them, raise cache.redis.near.delta",
		})
	}
	if n.Info != nil {
		e.report(Finding{
			CacheUnknown, Info, subject,
			fmt.Sprintf("version, role and eviction policy are not known: %s", cloudmirror.Brief(n.Info)), "allow the user info, if only for doctor",
		})
		return
	}
	major, _, _ := strings.Cut(n.Version, ".")
	if number, err := strconv.Atoi(major); err == nil && number < minRedisMajor {
		e.report(Finding{
			CacheVersion, Error, subject,
			fmt.Sprintf("it is version %s, which does not tell of changes", n.Version), fmt.Sprintf("use Redis %d or newer, or Valkey", minRedisMajor),
		})
	}
	if n.Replica {
		e.report(Finding{
			CacheReplica, Error, subject,
			"it is a replica, and refuses writes: nothing new can be copied", "point cache.redis.url at the master, or at the sentinels (redis+sentinel://)",
		})
	}
	if n.MaxMemoryBytes > 0 && n.EvictionPolicy == "noeviction" {
		e.report(Finding{
			CacheEviction, Error, subject,
			fmt.Sprintf("at %d bytes (maxmemory) it refuses writes, for its maxmemory-policy is noeviction", n.MaxMemoryBytes),
			"set maxmemory-policy to any other, such as allkeys-lru: whatever is evicted is found again in storage",
		})
	}
}
