package balancers_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// TestFiguresBehindHAProxy holds that two front ends behind a balancer show the same
// figures, those of both, whichever answers.
func TestFiguresBehindHAProxy(t *testing.T) {
	origin := origintest.Start(t)
	env := []string{"CLOUDMIRROR_CACHE_TYPE=redis", "CLOUDMIRROR_CACHE_REDIS_URL=redis://" + servers.StartRedis(t).Addr()}
	upstreams := [2]string{servers.StartCloudmirror(t, binary, origin.URL, env...), servers.StartCloudmirror(t, binary, origin.URL, env...)}
	b := startHAProxy(t, upstreams)
	const asked = 40
	for range asked {
		response := b.get(t, b.plain, origin.Object(t, "/tool?size=10").RedirectURL("", cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}))
		response.Body.Close()
		if response.StatusCode != http.StatusFound {
			t.Fatal(response.Status)
		}
	}
	type backend struct {
		LastHour, Requests map[string]int
	}
	backends := func(base string) backend {
		response := b.get(t, base, "/v1/backends")
		defer response.Body.Close()
		var body struct {
			Backends []struct {
				LastHour map[string]int `json:"last_hour"`
				Requests map[string]int `json:"requests"`
			} `json:"backends"`
		}
		if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return backend(body.Backends[0])
	}
	for _, upstream := range upstreams {
		if n := sum(backends("http://" + upstream).Requests); n == 0 || n == asked {
			t.Fatalf("%s got %d of %d requests, want a part of them", upstream, n, asked)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for alike := 0; alike < 10; alike++ { // answers in a row
		if sum(backends(b.plain).LastHour) != asked {
			alike = -1
		}
		if time.Now().After(deadline) {
			t.Fatalf("the front ends show %v and %v, want %d requests", backends("http://"+upstreams[0]).LastHour, backends("http://"+upstreams[1]).LastHour, asked)
		}
	}
}

func sum(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
