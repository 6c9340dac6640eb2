package config_test

import (
	"regexp"
	"testing"

	"cloudmirror/config"
)

func TestProcessesOfOneDeploymentShareItsID(t *testing.T) {
	same := []string{
		"cache: {redis: {url: 'redis://redis.example.com:6379/0'}}",
		"cache: {redis: {url: 'redis://user:hunter2@Redis.example.com'}}\nlisten: 127.0.0.1:9\ndata_dir: elsewhere",
		"cache: {redis: {url: 'rediss://redis.example.com:6379/?db=0&read_timeout=1s'}}\ncopier: {concurrency: 1}",
	}
	want := identity(t, same[0])
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(want) {
		t.Errorf("id %q", want)
	}
	for _, other := range same[1:] {
		if got := identity(t, other); got != want {
			t.Errorf("%s, not %s, with %s", got, want, other)
		}
	}
}

func TestDeploymentsHaveIDsOfTheirOwn(t *testing.T) {
	seen := make(map[string]string)
	for _, file := range []string{
		"cache: {redis: {url: 'redis://a:6379/0'}}",
		"cache: {redis: {url: 'redis://b:6379/0'}}",
		"cache: {redis: {url: 'redis://a:6380/0'}}",
		"cache: {redis: {url: 'redis://a:6379/1'}}",
		"cache: {redis: {url: 'redis+sentinel://a:6379/0?master_name=m'}}",
		"cache: {redis: {url: 'redis://a:6379/0', prefix: 'other:'}}",
		"cache: {redis: {url: 'redis://a?db=2'}}",
		"cache: {redis: {url: 'unix:///run/a'}}",
		"cache: {redis: {url: 'unix:///run/a?db=1'}}",
		"cache: {redis: {url: 'redis://a:6379/0'}}\nqueue: {sqs: {prefix: other-}}",
	} {
		id := identity(t, file)
		if before, ok := seen[id]; ok {
			t.Errorf("%s and %s have one id", file, before)
		}
		seen[id] = file
	}
}

func TestTheOrderOfNodesIsNoPartOfTheID(t *testing.T) {
	a := identity(t, "cache: {redis: {url: 'redis+cluster://a:1/0?addr=b:2&addr=c:3'}}")
	if b := identity(t, "cache: {redis: {url: 'redis+cluster://c:3/0?addr=a:1&addr=b:2'}}"); a != b {
		t.Errorf("%s and %s", a, b)
	}
}

func TestAProcessByItselfIsKnownByItsDirectoryAndAddress(t *testing.T) {
	c := load(t, minimal)
	id := c.DeploymentID()
	for name, o := range map[string]config.Overrides{
		"another address":   {Listen: "127.0.0.1:9"},
		"another directory": {DataDir: "elsewhere"},
	} {
		other, err := config.Load("cloudmirror.yaml", nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if other.DeploymentID() == id {
			t.Errorf("%s has the same id", name)
		}
	}
	redis, err := config.Load("cloudmirror.yaml", []string{"CLOUDMIRROR_CACHE_REDIS_URL=redis://elsewhere"}, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if redis.DeploymentID() != id {
		t.Error("the URL of a Redis that is not used changes the id")
	}
	half, err := config.Load("cloudmirror.yaml", []string{"CLOUDMIRROR_CACHE_TYPE=redis"}, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if half.DeploymentID() != id {
		t.Error("a process whose jobs are in memory is not by itself")
	}
}

// identity returns the id of a deployment on Redis and SQS with further lines.
func identity(t *testing.T, lines string) string {
	t.Helper()
	c := load(t, lines+"\n"+minimal, "CLOUDMIRROR_CACHE_TYPE=redis", "CLOUDMIRROR_QUEUE_TYPE=sqs")
	return c.DeploymentID()
}
