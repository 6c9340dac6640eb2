package redisurl_test

import (
	"slices"
	"strings"
	"testing"

	"cloudmirror/redisurl"
)

func TestURLsThatNameARedis(t *testing.T) {
	for phrase, url := range map[string]string{
		"one server":                 "redis://127.0.0.1:6379/0",
		"without a port":             "redis://redis.example",
		"with a password":            "redis://:s%2Fcret@127.0.0.1:6379",
		"with user, TLS and options": "rediss://app:secret@redis.example:6380/2?pool_size=50&dial_timeout=2s",
		"an IPv6 address":            "redis://[::1]:6379/0",
		"a socket":                   "unix:///run/redis.sock",
		"a socket with a password":   "unix://app:secret@/run/redis.sock?db=2",
		"a Cluster":                  "redis+cluster://app:secret@a:6379?addr=b:6379&addr=c:6379",
		"a Cluster by TLS":           "rediss+cluster://a:6379",
		"a Sentinel":                 "redis+sentinel://a:26379/0?master_name=main&addr=b:26379&password=secret",
		"a Sentinel by TLS":          "rediss+sentinel://:secret@a:26379?master_name=main",
	} {
		t.Run(phrase, func(t *testing.T) {
			if _, err := redisurl.Parse(url); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestURLsThatNameNoRedis(t *testing.T) {
	for _, test := range []struct{ phrase, url, says string }{
		{"empty", "", "redis://"},
		{"no scheme", "127.0.0.1:6379", "cannot be parsed"},
		{"a socket on a host", "unix://run/redis.sock", "unix:///run"},
		{"a socket without a path", "unix://", "unix:///run"},
		{"a socket by TLS", "unix+rediss:///run/redis.sock", "unix://"},
		{"another scheme", "http://hunter2@127.0.0.1:6379", "redis://"},
		{"another kind", "redis+ring://:hunter2@127.0.0.1:6379", "redis+cluster://"},
		{"a database that is no number", "redis://:hunter2@127.0.0.1:6379/main", "database number"},
		{"a database in a Cluster", "redis+cluster://:hunter2@127.0.0.1:6379/3", "database 0"},
		{"an unknown option", "redis://:hunter2@127.0.0.1:6379?pool=3", "pool"},
		{"an option of another type", "redis://:hunter2@127.0.0.1:6379?pool_size=many", "pool_size"},
		{"a Sentinel without a master's name", "redis+sentinel://:hunter2@127.0.0.1:26379", "master_name"},
		{"replicas of a Cluster", "redis+cluster://a:6379?read_only=true", "replica"},
		{"the replicas that are near", "redis+cluster://a:6379?route_by_latency=true", "replica"},
		{"replicas", "redis+sentinel://a:26379?master_name=main&replica_only=true", "replica"},
		{"no host", "redis://:hunter2@/0", "host"},
		{"a slash in the password", "redis://:hunter2/x@127.0.0.1:6379", "percent-encoded"},
		{"a slash in the password behind digits", "redis://app:12/hunter2@127.0.0.1:6379", "percent-encoded"},
		{"a question mark in the password", "redis://app:12?hunter2=@127.0.0.1:6379", "percent-encoded"},
		{"a hash in the password", "redis://app:12#hunter2@127.0.0.1:6379", "percent-encoded"},
		{"a percent sign in the password", "redis://:hunter2%zz@127.0.0.1:6379", "percent-encoded"},
		{"an ampersand in the password", "redis+sentinel://a?master_name=m&password=ab&hunter2", "percent-encoded"},
		{"a port out of range", "redis://:hunter2@127.0.0.1:65536", "65535"},
		{"a wrong port", "redis://:hunter2@127.0.0.1:port", "cannot be parsed"},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			_, err := redisurl.Parse(test.url)
			if err == nil {
				t.Fatal("the URL was accepted")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error does not speak of %q: %v", test.says, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestSentinelsHaveAPortOfTheirOwn(t *testing.T) {
	d, err := redisurl.Parse("redis+sentinel://a?master_name=main")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Sentinel.SentinelAddrs; !slices.Equal(got, []string{"a:26379"}) {
		t.Errorf("the sentinels are %v", got)
	}
}

func TestIdentity(t *testing.T) {
	for url, want := range map[string][]string{
		"redis://Redis.example":                                                    {"redis.example:6379", "", "0"},
		"rediss://user:hunter2@a:6380/2?pool_size=3":                               {"a:6380", "", "2"},
		"redis://a?db=2":                                                           {"a:6379", "", "2"},
		"unix://:hunter2@/run/A?db=1":                                              {"/run/A", "1"},
		"redis+cluster://:hunter2@b:1?addr=c:3&addr=a:2&addr=b:1":                  {"a:2", "b:1", "c:3", "", "0"},
		"redis+sentinel://:hunter2@b/1?addr=a:2&master_name=main&password=hunter2": {"a:2", "b:26379", "main", "1"},
	} {
		d, err := redisurl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Identity(); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", url, got, want)
		}
	}
}
