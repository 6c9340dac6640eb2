package origintest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"cloudmirror/origin/origintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // cut off, in some cases
	return response, body
}

// What the bytes of a path are must not change: other tests, and the demo, show
// their digests.
func TestContentIsAlwaysTheSame(t *testing.T) {
	got := fmt.Sprintf("%x", sha256.Sum256(origintest.Bytes("/demo/hello.bin", 1<<20)))
	const want = "1b6f281daa9268b20abe537278dc3f33580042b37fe2cf43831e82e6ab5b4899"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bytes.Equal(origintest.Bytes("/a", 100), origintest.Bytes("/b", 100)) {
		t.Error("two paths have the same bytes")
	}
}

func TestContentReadsAlikeInAnyPieces(t *testing.T) {
	const size = 1021
	whole := origintest.Bytes("/a", size)
	if err := iotest.TestReader(origintest.Content("/a", size), whole); err != nil {
		t.Error(err)
	}
}

func TestBehavioursInTheQuery(t *testing.T) {
	s := origintest.Start(t)
	tests := map[string]struct {
		query  string
		status int
		length int64 // as announced
		bytes  int
	}{
		"plain":           {"size=1000", 200, 1000, 1000},
		"unknown names":   {"size=10&token=x", 200, 10, 10},
		"bad value":       {"size=many", 400, 72, 72},
		"error":           {"status=404", 404, 12, 12},
		"cut off":         {"size=1000&cut-after=100", 200, 1000, 100},
		"too long":        {"size=1000&length-off=5", 200, 1005, 1000},
		"too short":       {"size=1000&length-off=-5", 200, 995, 995},
		"chunked":         {"size=1000&chunked=true", 200, -1, 1000},
		"close-delimited": {"size=1000&close-delimited=true", 200, -1, 1000},
		"redirect":        {"redirect=/b", 302, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := get(t, s.URL+"/"+"?"+test.query)
			if response.StatusCode != test.status || response.ContentLength != test.length || len(body) != test.bytes {
				t.Errorf("status %d, length %d, %d bytes", response.StatusCode, response.ContentLength, len(body))
			}
		})
	}
}

func TestRanges(t *testing.T) {
	s := origintest.Start(t)
	whole := origintest.Bytes("/a", 1000)
	tests := map[string]struct {
		status       int
		from, until  int
		contentRange string
	}{
		"bytes=990-":      {206, 990, 1000, "bytes 990-999/1000"},
		"bytes=0-0":       {206, 0, 1, "bytes 0-0/1000"},
		"bytes=100-199":   {206, 100, 200, "bytes 100-199/1000"},
		"bytes=900-5000":  {206, 900, 1000, "bytes 900-999/1000"},
		"bytes=1000-1001": {416, 0, 0, "bytes */1000"},
		"bytes=5-4":       {200, 0, 1000, ""},
		"bytes=-5":        {200, 0, 1000, ""},
	}
	for asked, want := range tests {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/a?size=1000", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Range", asked)
		response, body := do(t, request)
		if response.StatusCode != want.status || response.Header.Get("Content-Range") != want.contentRange {
			t.Errorf("%s: status %d, %q", asked, response.StatusCode, response.Header.Get("Content-Range"))
		}
		if !bytes.Equal(body, whole[want.from:want.until]) {
			t.Errorf("%s: other bytes, %d of them", asked, len(body))
		}
	}
}

func TestMoreStreamsThanAllowedAreRefused(t *testing.T) {
	for query, broken := range map[string]bool{"": false, "&streams-broken=true": true} {
		s := origintest.Start(t)
		transport := &http.Transport{DisableKeepAlives: true}
		ask := func() (*http.Response, error) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/a?size=10000000&rate=1&streams=1"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			return transport.RoundTrip(request)
		}
		first, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		second, err := ask()
		switch {
		case broken != (err != nil):
			t.Errorf("%q: the second request gave %v", query, err)
		case err == nil:
			if second.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("the second request was answered %s", second.Status)
			}
			second.Body.Close()
		}
		first.Body.Close()
		for s.Streams("/a") > 0 {
			runtime.Gosched() // the origin notices that its client left
		}
	}
}

func TestGateHoldsAnswersBack(t *testing.T) {
	s := origintest.Start(t)
	open := s.Gate("/a")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		get(t, s.URL+"/a?size=5")
	}()
	for s.Count(http.MethodGet, "/a") == 0 {
		runtime.Gosched() // the request is on its way
	}
	select {
	case <-answered:
		t.Error("the gate is shut, and there is an answer")
	case <-time.After(20 * time.Millisecond):
	}
	open()
	open()
	<-answered
	get(t, s.URL+"/a") // stays open
}

func TestSetBeginsCountsAnew(t *testing.T) {
	s := origintest.Start(t)
	s.Set("/a", origintest.Behaviour{Status: 503, Times: 1})
	for _, want := range []int{503, 200, 200} {
		if response, _ := get(t, s.URL+"/a"); response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
	}
	s.Set("/a", origintest.Behaviour{})
	if n := s.Count(http.MethodGet, "/a"); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestResolverAnswersEachTimeAnew(t *testing.T) {
	answers := []string{"127.0.0.1", "127.0.0.2"}
	var asked []string
	r := origintest.Resolver(func(host string) []netip.Addr {
		asked = append(asked, host)
		return []netip.Addr{netip.MustParseAddr(answers[min(len(asked), len(answers))-1])}
	})
	for _, want := range answers {
		got, err := r.LookupNetIP(context.Background(), "ip4", "Name.test")
		if err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr(want)}) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if !slices.Equal(asked, []string{"name.test", "name.test"}) {
		t.Errorf("asked for %v", asked)
	}
}
