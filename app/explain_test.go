package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudmirror/config"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// An explanation follows a copy from its beginning to its end, and tells of a copy
// and of a failure what redirects answer, with a real copier, in memory and on Redis.
func TestExplainFollowsACopy(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testExplainFollowsACopy(t, nil) })
	t.Run("Redis", func(t *testing.T) {
		redis := servers.StartRedis(t)
		testExplainFollowsACopy(t, func(c *config.Config) { c.Cache.Type, c.Cache.Redis.URL = config.CacheRedis, "redis://"+redis.Addr() })
	})
}

func testExplainFollowsACopy(t *testing.T, change func(*config.Config)) {
	gate := make(chan struct{})
	origin := origintest.Start(t)
	origin.Set("/slow.iso", origintest.Behaviour{SizeBytes: 100, Gate: gate})
	origin.Set("/missing.iso", origintest.Behaviour{Status: http.StatusNotFound})
	c := load(t, origin)
	if change != nil {
		change(c)
	}
	a, stop := start(t, c)
	front := "http://" + a.Addresses()[0].String()
	explain := func(path string) (e explained) {
		t.Helper()
		url := strings.Replace(origin.Object(t, path).RedirectURL(front, backend), "/v1/redirect/", "/v1/explain/", 1)
		status, _, body := get(t, url)
		if err := json.Unmarshal([]byte(body), &e); err != nil || status != http.StatusOK || len(e.Places)+len(e.Excluded) != 2 {
			t.Fatalf("status %d, error %v: %s", status, err, body)
		}
		return e
	}
	redirect := func(path, query string) (status int, location string) {
		t.Helper()
		status, header, _ := get(t, origin.Object(t, path).RedirectURL(front, backend)+query)
		return status, header.Get("Location")
	}
	if e := explain("/slow.iso"); e.Places[0].State != "absent" || e.Answer.WaitSeconds == 0 {
		t.Errorf("before: %+v", e)
	}
	redirect("/slow.iso", "?wait=0")
	until(t, func() bool { return explain("/slow.iso").Places[0].State == "copying" })
	close(gate)
	until(t, func() bool { return explain("/slow.iso").Places[0].State == "present" })
	redirect("/missing.iso", "")
	for path, state := range map[string]string{"/slow.iso": "present", "/missing.iso": "failed-for-good"} {
		e := explain(path)
		status, location := redirect(path, "")
		if e.Places[0].State != state || e.Answer.Status != status || e.Answer.Location != location {
			t.Errorf("%s: a redirect answers %d %s, the explanation is %+v", path, status, location, e)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

type explained struct {
	Places, Excluded []struct{ State string }
	Answer           struct {
		Status      int
		Location    string
		WaitSeconds float64 `json:"wait_seconds"`
	}
}

// until polls for at most 10 s.
func until(t *testing.T, is func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !is() {
		select {
		case <-deadline:
			t.Fatal("it did not come to be in 10 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
