package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/kv/rediskv"
	"cloudmirror/origin/origintest"
	"cloudmirror/presence"
	"cloudmirror/test/servers"
)

// A process alone is its own copier.
func TestServeShowsItsOwnCopier(t *testing.T) {
	origin := origintest.Start(t)
	origin.Set("/tool.bin", origintest.Behaviour{SizeBytes: 10})
	c := load(t, origin)
	a, stop := start(t, c)
	front, admin := "http://"+a.Addresses()[0].String(), "http://"+a.Addresses()[1].String()
	if status, _, body := get(t, origin.Object(t, "/tool.bin").RedirectURL(front, cloudmirror.BackendID{Service: "s3", Region: "us-east-1"})); status != http.StatusFound {
		t.Fatalf("%d %s", status, body)
	}
	for _, base := range []string{front, admin} {
		if _, _, body := get(t, base+"/readyz"); !strings.HasSuffix(body, "\ncopiers s3/us-east-1: ok\n") {
			t.Errorf("/readyz of %s:\n%s", base, body)
		}
		if _, _, body := get(t, base+"/metrics"); !strings.Contains(body, `cloudmirror_copiers{region="us-east-1",service="s3"} 1`) {
			t.Errorf("/metrics of %s lacks the copier", base)
		}
	}
	token, err := os.ReadFile(filepath.Join(c.DataDir, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	got := askBackends(t, front, strings.TrimSpace(string(token)))
	if b := got.Backends[0]; b.Health != "ok" || b.Copiers == nil || *b.Copiers != 1 || b.LastHour["miss"] != 1 {
		t.Errorf("backend %+v", b)
	}
	if p := got.Processes; len(p) != 1 || p[0].Role != "serve" || p[0].Version != "test" || !strings.Contains(p[0].Name, ":") || time.Since(p[0].Started) > time.Hour {
		t.Errorf("processes %+v", p)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// backends is the answer to /v1/backends.
type backends struct {
	Backends []struct {
		Health   string
		Cause    string
		Copiers  *int
		LastHour map[string]int `json:"last_hour"`
	}
	Processes []presence.Note
	Presence  string
}

func askBackends(t *testing.T, base, token string) (b backends) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/backends", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

// What is down for the processes that copy is not ok in the /readyz of a front end
// either. Their causes are for operators.
func TestReadyzShowsWhatIsDownForCopiers(t *testing.T) {
	url := "redis://" + servers.StartRedis(t).Addr()
	d := deploy(t, nil, "cache: {type: redis, redis: {url: '"+url+"'}}")
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	var causes atomic.Pointer[string]
	tell := func(cause string) { causes.Store(&cause) }
	tell("refused by 10.0.0.7")
	copier := presence.New(presence.Options{
		Store: rediskv.New(client, "cloudmirror:"), Self: presence.Note{Role: "copier", Name: "other", CopiesTo: []string{"s3/us-east-1"}},
		Dependencies: func() []presence.Dependency {
			return []presence.Dependency{{Name: "cache", Cause: *causes.Load()}, {Name: "queue s3/us-east-1"}, {Name: "storage s3/us-east-1", Cause: *causes.Load()}}
		},
	})
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { copier.Run(ctx) })
	defer running.Wait()
	defer end()
	await := func(what, cache, storage string) {
		t.Helper()
		want := "ready\ncache: " + cache + "\nqueue s3/us-east-1: ok\nstorage s3/us-east-1: " + storage + "\ncopiers s3/us-east-1: ok\n"
		var body string
		for until := time.Now().Add(patience); body != want; {
			if _, _, body = get(t, d.front+"/readyz"); time.Now().After(until) {
				t.Fatalf("%s: /readyz says\n%s, want\n%s", what, body, want)
			}
		}
	}
	down := "down for 1 of 2 processes that copy to s3/us-east-1"
	await("both are down for the copier", down, down)
	tell("")
	await("all is well", "ok", "ok")
}
