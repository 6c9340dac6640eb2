package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// TestEachFormOfRedisURLServesHits starts the program with each form of
// cache.redis.url that its documents show. A second process, which has only Redis to
// know the copy from, answers with a hit.
func TestEachFormOfRedisURLServesHits(t *testing.T) {
	secured := servers.RedisAccess{Password: redisSecret, TLS: servers.NewCertificate(t)}
	password := servers.RedisAccess{Password: redisSecret}
	for form, start := range map[string]func(*testing.T) string{
		"redis": func(t *testing.T) string { return "redis://" + servers.StartRedis(t).Addr() },
		"redis with user, password and database": func(t *testing.T) string {
			r := servers.StartRedis(t, "--user", "app", "on", ">"+redisSecret, "~*", "&*", "+@all")
			return "redis://app:" + redisSecret + "@" + r.Addr() + "/3"
		},
		"rediss with a password": func(t *testing.T) string {
			return "rediss://:" + redisSecret + "@" + secured.StartRedis(t).Addr() + "/0"
		},
		"unix with a password": func(t *testing.T) string {
			socket := filepath.Join(t.TempDir(), "redis.sock")
			password.StartRedis(t, "--unixsocket", socket)
			return "unix://:" + redisSecret + "@" + socket + "?db=2"
		},
		"redis+sentinel": func(t *testing.T) string {
			return "redis+sentinel://" + servers.StartRedisSentinel(t).Addr() + "/2?master_name=" + servers.RedisMasterName
		},
		"redis+sentinel with passwords and a sentinel that is down": func(t *testing.T) string {
			s := password.StartRedisSentinel(t)
			return "redis+sentinel://:" + redisSecret + "@127.0.0.1:" + servers.FreePort(t) + "?addr=" + s.Addr() +
				"&master_name=" + servers.RedisMasterName + "&password=" + redisSecret
		},
		"rediss+sentinel": func(t *testing.T) string {
			return "rediss+sentinel://:" + redisSecret + "@" + secured.StartRedisSentinel(t).Addr() +
				"?master_name=" + servers.RedisMasterName + "&password=" + redisSecret
		},
		"redis+cluster": func(t *testing.T) string {
			a := servers.StartRedisCluster(t).Addrs()
			return "redis+cluster://" + a[0] + "?addr=" + a[1] + "&addr=" + a[2]
		},
		"rediss+cluster with a password": func(t *testing.T) string {
			return "rediss+cluster://:" + redisSecret + "@" + secured.StartRedisCluster(t).Addrs()[1]
		},
	} {
		t.Run(form, func(t *testing.T) {
			d := newDeployment(t, parts{}, "memory", "memory", "file", "wait: 30s")
			d.env = append(d.env, "CLOUDMIRROR_CACHE_TYPE=redis", "CLOUDMIRROR_CACHE_REDIS_URL="+start(t), "SSL_CERT_FILE="+secured.TLS.CertFile)
			shown := d.command("config", "check") + d.command("config", "print")
			first := d.start("serve")
			d.origin.Set("/tool", origintest.Behaviour{SizeBytes: 1000})
			d.fetch("/tool")
			first.Terminate()
			d.frontends = nil
			second := d.start("serve")
			if got := d.get("/tool").header.Get("Cache-Status"); !strings.HasPrefix(got, "cloudmirror; hit; ttl=") || strings.Contains(got, "detail") {
				t.Errorf("Cache-Status %q, want a hit of what Redis holds", got)
			}
			d.eventually("the cache is ok", func() bool { return strings.Contains(d.readyz(), "cache: ok\n") })
			second.Terminate()
			if n := d.origin.Count(http.MethodGet, "/tool"); n != 1 {
				t.Errorf("the origin got %d GETs, want 1", n)
			}
			if shown += first.Output() + second.Output(); strings.Contains(shown, redisSecret) {
				t.Errorf("the password is shown:\n%s", shown)
			}
		})
	}
}

// TestAPlainURLOfACluster holds that a redis:// that leads to a node of a Cluster or
// to a Sentinel is named wherever an operator looks first.
func TestAPlainURLOfACluster(t *testing.T) {
	for form, address := range map[string]string{
		"redis+cluster://":  servers.StartRedisCluster(t).Addrs()[0],
		"redis+sentinel://": servers.StartRedisSentinel(t).Addr(),
	} {
		t.Run(form, func(t *testing.T) {
			d := newDeployment(t, parts{}, "memory", "memory", "file", "wait: 1s")
			d.env = append(d.env, "CLOUDMIRROR_CACHE_TYPE=redis", "CLOUDMIRROR_CACHE_REDIS_URL=redis://"+address)
			p := d.start("serve")
			told := address + " is a "
			remedy := "it must begin with " + form
			d.eventually("/readyz names it", func() bool {
				state := d.readyz()
				return strings.Contains(state, "cache: ") && strings.Contains(state, told) && strings.Contains(state, remedy)
			})
			if output := d.command("doctor", "--json"); !strings.Contains(output, `"cache-mode"`) {
				t.Errorf("doctor says:\n%s", output)
			}
			for _, command := range [][]string{{"doctor"}, {"provision"}} {
				output := strings.Join(strings.Fields(d.command(command...)), " ") // its lines are wrapped
				if !strings.Contains(output, told) || !strings.Contains(output, remedy) {
					t.Errorf("%v says:\n%s", command, output)
				}
			}
			d.origin.Set("/tool", origintest.Behaviour{SizeBytes: 10})
			if a := d.get("/tool"); a.status != http.StatusFound {
				t.Errorf("a client gets %d", a.status)
			}
			p.Terminate()
			if log := p.Output(); !strings.Contains(log, "dependency is down") || !strings.Contains(log, remedy) {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

func (d *deployment) readyz() string {
	d.t.Helper()
	return d.must(http.MethodGet, d.frontends[0]+"/readyz", nil).body
}

// command runs the program with the deployment's configuration, and returns what it
// says, however it ends.
func (d *deployment) command(args ...string) string {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), binary, append(args, "--config", d.config)...)
	command.Env = append(os.Environ(), d.env...)
	output, err := command.CombinedOutput()
	if err != nil {
		return string(output) + err.Error()
	}
	return string(output)
}
