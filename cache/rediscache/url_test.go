package rediscache_test

import (
	"strings"
	"testing"

	"cloudmirror/cache/rediscache"
)

func TestURLsThatNameARedis(t *testing.T) {
	for phrase, url := range map[string]string{
		"one server":                 "redis://127.0.0.1:6379/0",
		"without a port":             "redis://redis.example",
		"with a password":            "redis://:s%2Fcret@127.0.0.1:6379",
		"with user, TLS and options": "rediss://app:secret@redis.example:6380/2?pool_size=50&dial_timeout=2s",
		"an IPv6 address":            "redis://[::1]:6379/0",
		"a Cluster":                  "redis+cluster://app:secret@a:6379?addr=b:6379&addr=c:6379",
		"a Cluster by TLS":           "rediss+cluster://a:6379",
		"a Sentinel":                 "redis+sentinel://a:26379/0?master_name=main&addr=b:26379&password=secret",
		"a Sentinel by TLS":          "rediss+sentinel://:secret@a:26379?master_name=main",
	} {
		t.Run(phrase, func(t *testing.T) {
			if err := rediscache.CheckURL(url); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestURLsThatNameNoRedis(t *testing.T) {
	for _, test := range []struct{ phrase, url, says string }{
		{"empty", "", "host"},
		{"no scheme", "127.0.0.1:6379", "cannot be parsed"},
		{"another scheme", "http://hunter2@127.0.0.1:6379", "redis://"},
		{"another kind", "redis+ring://:hunter2@127.0.0.1:6379", "redis+cluster://"},
		{"a database that is no number", "redis://:hunter2@127.0.0.1:6379/main", "database number"},
		{"a database in a Cluster", "redis+cluster://:hunter2@127.0.0.1:6379/3", "database 0"},
		{"an unknown option", "redis://:hunter2@127.0.0.1:6379?pool=3", "pool"},
		{"an option of another type", "redis://:hunter2@127.0.0.1:6379?pool_size=many", "pool_size"},
		{"a Sentinel without a master's name", "redis+sentinel://:hunter2@127.0.0.1:26379", "master_name"},
		{"replicas", "redis+sentinel://a:26379?master_name=main&replica_only=true", "replica"},
		{"no host", "redis://:hunter2@/0", "host"},
		{"a slash in the password", "redis://:hunter2/x@127.0.0.1:6379", "percent-encoded"},
		{"a slash in the password behind digits", "redis://app:12/hunter2@127.0.0.1:6379", "percent-encoded"},
		{"a question mark in the password", "redis://app:12?hunter2=@127.0.0.1:6379", "percent-encoded"},
		{"a hash in the password", "redis://app:12#hunter2@127.0.0.1:6379", "percent-encoded"},
		{"a percent sign in the password", "redis://:hunter2%zz@127.0.0.1:6379", "percent-encoded"},
		{"a wrong port", "redis://:hunter2@127.0.0.1:port", "cannot be parsed"},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			_, err := rediscache.New(rediscache.Options{URL: test.url})
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

func TestPrefixWithBracesIsAnError(t *testing.T) {
	_, err := rediscache.New(rediscache.Options{URL: "redis://127.0.0.1", Prefix: "{all}:"})
	if err == nil {
		t.Error("a prefix was accepted that puts all keys into one slot")
	}
}
