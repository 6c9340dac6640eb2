package origin_test

import (
	"slices"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// The loop header is on every hop, and on what continues a broken answer.
func TestEveryRequestSaysWhoAsks(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{DeploymentID: "deployment-1"})
	if _, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a?size=200000&cut-after=100000&times=5&hops=2")); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	continued := 0
	for _, r := range requests {
		if r.Header.Get("CDN-Loop") != "deployment-1" {
			t.Errorf("%s: CDN-Loop %q", r.Target, r.Header.Values("CDN-Loop"))
		}
		if r.Header.Get("Range") != "" {
			continued++
		}
	}
	if continued == 0 || len(requests) < 6 {
		t.Errorf("%d requests, %d of them for the rest", len(requests), continued)
	}
}

// An answer's header is bounded.
func TestHeadersThatAreTooLarge(t *testing.T) {
	for name, server := range map[string]*origintest.Server{"HTTP/1.1": origintest.Start(t), "HTTP/2": origintest.StartTLS(t)} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, origin.Options{RootCAs: pool(server)})
			server.Set("/a", origintest.Behaviour{SizeBytes: 10, Header: map[string][]string{"X-Much": {strings.Repeat("a", 200<<10)}}})
			if _, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a")); err != nil {
				t.Errorf("200 KiB: %v", err)
			}
			// One field of that size would end a connection of HTTP/2, and with it the
			// requests of others: that is no fault of this object.
			server.Set("/a", origintest.Behaviour{SizeBytes: 10, Header: map[string][]string{"X-Much": slices.Repeat([]string{strings.Repeat("a", 1<<10)}, 300)}})
			_, _, err := fetch(t, c, anywhere(t), server.Object(t, "/a"))
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true})
		})
	}
}
