package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// An overview is what /v1/backends says of a deployment with one backend.
type overview struct {
	Backends []struct {
		Health   string         `json:"health"`
		Copiers  *int           `json:"copiers"`
		LastHour map[string]int `json:"last_hour"`
	} `json:"backends"`
	Processes []struct {
		Role, Name string
		CopiesTo   []string `json:"copies_to"`
	} `json:"processes"`
	Presence string `json:"presence"`
}

// overview asks the i-th front end, as an operator.
func (d *deployment) overview(i int) (o overview) {
	d.t.Helper()
	a := d.must(http.MethodGet, d.frontends[i]+"/v1/backends", http.Header{"Authorization": {"Bearer " + token}})
	if err := json.Unmarshal([]byte(a.body), &o); err != nil || len(o.Backends) != 1 {
		d.t.Fatalf("/v1/backends: %v in %s", err, a.body)
	}
	return o
}

// pageWords are what the page says of a health.
var pageWords = map[string]string{
	"ok": "ok", "no-copier": "no copier", "cache-down": "cache down", "unknown": "not known",
	"storage-down": "storage down", "queue-unreachable": "queue unreachable", "region-unreachable": "clients cannot fetch copies",
}

// seen returns what the i-th front end says of the backend, in /readyz, /v1/backends,
// the metrics and on the page.
func (d *deployment) seen(i int) (ready, health, metric, page string) {
	d.t.Helper()
	match := func(path, pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(d.must(http.MethodGet, d.frontends[i]+path, nil).body)
		if found == nil {
			return ""
		}
		return found[1]
	}
	return match("/readyz", `(?m)^copiers e2e/`+region+`: (.*)$`), d.overview(i).Backends[0].Health,
		match("/metrics", `(?m)^cloudmirror_copiers{.*} (.*)$`), match("/status", `<td>`+region+`</td><td>[^<]*</td><td[^>]*>([^<]*)</td>`)
}

// awaitSeen waits until each front end says the same everywhere.
func (d *deployment) awaitSeen(what, ready, health, metric string) {
	d.t.Helper()
	for i := range d.frontends {
		var last string
		d.eventually(what, func() bool {
			r, h, m, p := d.seen(i)
			if now := fmt.Sprintf("front end %d: /readyz %q, /v1/backends %q, metric %q, page %q", i, r, h, m, p); now != last {
				last = now
				d.t.Log(now)
			}
			return strings.HasPrefix(r, ready) && h == health && m == metric && p == pageWords[health]
		})
	}
}

// TestPresence holds that two front ends and an operator see, everywhere alike, whether
// anything copies, and whether that is known.
func TestPresence(t *testing.T) {
	d, _, copiers := newCluster(t, "wait: 5s")
	d.awaitSeen("two copiers are seen", "ok", "ok", "2")
	if p := d.overview(0).Processes; len(p) != 4 {
		t.Errorf("processes %+v, want four", p)
	}

	d.origin.Set("/tool", origintest.Behaviour{SizeBytes: 100})
	before := d.overview(0).Backends[0].LastHour["hit"]
	d.fetch("/tool")
	for i := range 20 {
		d.must(http.MethodGet, d.redirectURL(i, "/tool"), nil)
	}
	for i := range d.frontends {
		d.eventually("each front end shows the hits of both", func() bool { return d.overview(i).Backends[0].LastHour["hit"]-before >= 20 })
	}

	copiers[0].Terminate()
	d.awaitSeen("one copier is seen", "ok", "ok", "1")
	killed := time.Now()
	copiers[1].Kill()
	d.awaitSeen("no copier is seen", "no process copies to it", "no-copier", "0")
	t.Logf("seen after %v, by both front ends", time.Since(killed))
	if output := d.command("doctor"); !strings.Contains(output, "copiers of e2e/"+region+": no process copies to it") || !strings.Contains(output, "[no-copier]") {
		t.Errorf("doctor says:\n%s", output)
	}
	if a := d.must(http.MethodGet, d.frontends[0]+"/readyz", nil); a.status != http.StatusOK {
		t.Errorf("/readyz is %d: clients still get to their origins", a.status)
	}
	d.start("copier")
	d.awaitSeen("a new copier is seen", "ok", "ok", "1")

	for name, outage := range map[string]struct{ begin, end func() }{
		"killed": {func() { d.parts.redis.Kill() }, func() { d.parts.redis.Restart() }}, // a restart makes another process
		"frozen": {func() { d.parts.redis.Stop() }, func() { d.parts.redis.Continue() }},
	} {
		t.Run("Redis is "+name, func(t *testing.T) {
			outage.begin()
			d.awaitSeen("the cache is down everywhere", "not known: ", "cache-down", "")
			began := time.Now()
			readyz := d.readyz()
			if took := time.Since(began); took > 10*time.Second || !strings.HasPrefix(readyz, "ready\n") {
				t.Errorf("/readyz took %v:\n%s", took, readyz)
			}
			outage.end()
			d.awaitSeen("all is well again", "ok", "ok", "1")
		})
	}
	t.Run("storage is away", func(*testing.T) {
		d.parts.s3.Stop()
		d.eventually("it is not ok on any page", func() bool {
			_, health, _, page := d.seen(0)
			readyz := d.readyz()
			return health != "ok" && pageWords[health] == page && !strings.Contains(readyz, "storage e2e/"+region+": ok")
		})
		d.parts.s3.Continue()
		d.awaitSeen("all is well again", "ok", "ok", "1")
	})
}

// TestPresenceOnEachRedis holds that a copier that is killed is seen with each kind of
// Redis.
func TestPresenceOnEachRedis(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"Sentinel": func(t *testing.T) string {
			return "redis+sentinel://" + servers.StartRedisSentinel(t).Addr() + "?master_name=" + servers.RedisMasterName
		},
		"Cluster": func(t *testing.T) string { return "redis+cluster://" + servers.StartRedisCluster(t).Addrs()[0] },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDeployment(t, parts{}, "memory", "memory", "file", "wait: 1s")
			d.env = append(d.env, "CLOUDMIRROR_CACHE_TYPE=redis", "CLOUDMIRROR_CACHE_REDIS_URL="+start(t))
			d.start("serve")
			second := d.start("serve") // a copier, for the first
			d.awaitSeen("two processes copy", "ok", "ok", "2")
			second.Kill()
			d.frontends = d.frontends[:1]
			d.awaitSeen("one is gone", "ok", "ok", "1")
		})
	}
}
