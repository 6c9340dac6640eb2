package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// TestMatrix runs one body over every combination of parts.
func TestMatrix(t *testing.T) {
	p := parts{redis: servers.StartRedis(t), moto: servers.StartMoto(t), s3: servers.StartVersityGW(t, region)}
	for _, cache := range []string{"memory", "redis"} {
		for _, queue := range []string{"memory", "sqs"} {
			for _, storage := range []string{"file", "s3"} {
				t.Run(cache+" "+queue+" "+storage, func(t *testing.T) {
					d := newDeployment(t, p, cache, queue, storage, "wait: 30s", "negative_ttl: 2s")
					if cache == "redis" && queue == "sqs" && storage == "s3" {
						for _, role := range []string{"frontend", "frontend", "copier", "copier"} {
							d.start(role)
						}
					} else {
						d.start("serve")
					}
					d.awaitCopies()
					body(t, d)
				})
			}
		}
	}
}

// body is what every deployment must do.
func body(t *testing.T, d *deployment) {
	t.Run("a miss, then hits", func(t *testing.T) { missThenHits(t, d) })
	t.Run("faulty origins", func(t *testing.T) { faultyOrigins(t, d) })
	t.Run("200 clients cause one GET", func(t *testing.T) { manyClients(t, d) })
	t.Run("a purge", func(t *testing.T) { purge(t, d) })
	t.Run("what is not allowed", func(t *testing.T) { notAllowed(t, d) })
	if d.parts.redis != nil && strings.Contains(t.Name(), "redis") {
		t.Run("a flush", func(t *testing.T) { flush(t, d) })
	}
	if strings.Contains(t.Name(), "redis_sqs_s3") && !testing.Short() {
		t.Run("1 GiB", func(t *testing.T) { gibibyte(t, d) })
	}
}

func missThenHits(t *testing.T, d *deployment) {
	d.t = t
	d.origin.Set("/tools/tool-1.0.tar.gz", origintest.Behaviour{
		SizeBytes: 6 << 20, // two parts
		Header: http.Header{
			"Content-Type": {"application/x-tool"}, "Content-Disposition": {"attachment"}, "X-Amz-Meta-Build": {"7"},
		},
	})
	want := origintest.Bytes("/tools/tool-1.0.tar.gz", 6<<20)
	for i, status := range []string{"cloudmirror; fwd=miss; stored", "cloudmirror; hit"} {
		a := d.get("/tools/tool-1.0.tar.gz")
		if got := a.header.Get("Cache-Status"); !strings.HasPrefix(got, status) {
			t.Errorf("request %d: Cache-Status %q, want %q", i+1, got, status)
		}
		if !d.isCopy(a) || !strings.HasSuffix(a.location, "/tool-1.0.tar.gz") {
			t.Fatalf("request %d: %d to %q", i+1, a.status, a.location)
		}
		copied := d.must(http.MethodGet, a.location, nil)
		if copied.status != http.StatusOK || !bytes.Equal([]byte(copied.body), want) {
			t.Errorf("request %d: the copy is answered with %d and %d bytes", i+1, copied.status, len(copied.body))
		}
		for name, value := range map[string]string{"Content-Type": "application/x-tool", "Content-Disposition": "attachment", "X-Amz-Meta-Build": "7"} {
			if got := copied.header.Get(name); got != value {
				t.Errorf("request %d: %s of the copy is %q, want %q", i+1, name, got, value)
			}
		}
		part := d.must(http.MethodGet, a.location, http.Header{"Range": {"bytes=1000-1999"}})
		if part.status != http.StatusPartialContent || part.body != string(want[1000:2000]) {
			t.Errorf("request %d: a range is answered with %d and %d bytes", i+1, part.status, len(part.body))
		}
	}
	if head := d.must(http.MethodHead, d.redirectURL(0, "/tools/tool-1.0.tar.gz"), nil); !d.isCopy(head) {
		t.Errorf("HEAD: %d to %q", head.status, head.location)
	}
	if n := d.origin.Count(http.MethodGet, "/tools/tool-1.0.tar.gz"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
	var status struct{ State, SHA256 string }
	if err := json.Unmarshal([]byte(d.admin(http.MethodGet, "status", "/tools/tool-1.0.tar.gz").body), &status); err != nil {
		t.Fatal(err)
	}
	if status.State != "present" || status.SHA256 != fmt.Sprintf("%x", sha256.Sum256(want)) {
		t.Errorf("status: %+v", status)
	}
}

func faultyOrigins(t *testing.T, d *deployment) {
	type is = origintest.Behaviour
	const copied, toOrigin = 1, 2 // beside HTTP statuses
	tests := []struct {
		name      string
		behaviour is
		want      int
	}{
		{"slow", is{SizeBytes: 20_000, BytesPerSecond: 20_000}, copied},
		{"cut off once", is{SizeBytes: 200_000, CutAfter: 100_000, Times: 1}, copied},
		{"longer than it says", is{SizeBytes: 1000, LengthOff: -10, NoRanges: true}, copied + toOrigin},
		{"shorter than it says", is{SizeBytes: 1000, LengthOff: 10, NoRanges: true}, toOrigin},
		{"wrong digest", is{SizeBytes: 1000, Digests: []string{"digest"}, WrongDigest: true}, toOrigin},
		{"HEAD fine but GET 500", is{Status: 500, HeadStatus: 200}, toOrigin},
		{"HEAD refused", is{SizeBytes: 1000, HeadStatus: 405}, copied},
		{"redirect loop", is{Hops: 1000}, toOrigin},
		{"redirected", is{SizeBytes: 1000, Hops: 2}, copied},
		{"503 twice, then fine", is{SizeBytes: 1000, Status: 503, Times: 2}, copied},
		{"gzip", is{SizeBytes: 10_000, Gzip: true}, copied},
		{"chunked", is{SizeBytes: 100_000, Chunked: true}, copied},
		{"empty", is{}, copied},
		{"404", is{Status: 404}, 404},
		{"403, which may be the copier's alone", is{Status: 403}, toOrigin},
		{"410", is{Status: 410}, 410},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := *d
			d.t = t
			path := fmt.Sprintf("/faulty/%d", i)
			d.origin.Set(path, tt.behaviour)
			a := d.get(path)
			switch {
			case tt.want >= 400:
				if a.status != tt.want {
					t.Errorf("answered with %d, want %d", a.status, tt.want)
				}
				return
			case tt.want == toOrigin && (a.status != http.StatusFound || d.isCopy(a)):
				t.Errorf("answered with %d to %q (%s), want the origin", a.status, a.location, a.header.Get("Cache-Status"))
				return
			case tt.want == copied && !d.isCopy(a):
				t.Fatalf("answered with %d to %q (%s), want the copy", a.status, a.location, a.header.Get("Cache-Status"))
			}
			if !d.isCopy(a) {
				return
			}
			want := origintest.Bytes(path, tt.behaviour.SizeBytes)
			if tt.behaviour.Gzip {
				want = origintest.GzipBytes(path, tt.behaviour.SizeBytes)
			}
			if tt.behaviour.LengthOff < 0 { // what is beyond the stated length is no part of the answer
				want = want[:int64(len(want))+tt.behaviour.LengthOff]
			}
			got := d.must(http.MethodGet, a.location, http.Header{"Accept-Encoding": {"gzip"}})
			if got.status != http.StatusOK || got.body != string(want) {
				t.Errorf("the copy is answered with %d and %d bytes, want %d bytes of the origin", got.status, len(got.body), len(want))
			}
		})
	}
}

func manyClients(t *testing.T, d *deployment) {
	d.t = t
	d.origin.Set("/popular", origintest.Behaviour{SizeBytes: 100_000})
	open := d.origin.Gate("/popular")
	const clients = 200
	answers := make(chan answer, clients)
	var asking sync.WaitGroup
	for i := range clients {
		asking.Go(func() {
			// While the queue is slow to take the job, clients are sent to the
			// origin, as they should be; here they come back.
			var a answer
			for begun := time.Now(); !d.isCopy(a) && time.Since(begun) < 2*waitLimit; {
				var err error
				if a, err = d.send(http.MethodGet, d.redirectURL(i, "/popular"), nil); err != nil {
					t.Error(err)
					break
				}
			}
			answers <- a
		})
	}
	d.eventually("the origin is asked", func() bool { return d.origin.Count(http.MethodGet, "/popular") > 0 })
	open()
	asking.Wait()
	close(answers)
	for a := range answers {
		if !d.isCopy(a) {
			t.Fatalf("a client was answered with %d to %q (%s)", a.status, a.location, a.header.Get("Cache-Status"))
		}
	}
	if n := d.origin.Count(http.MethodGet, "/popular"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
}

func purge(t *testing.T, d *deployment) {
	d.t = t
	d.origin.Set("/purged", origintest.Behaviour{SizeBytes: 1000})
	old := d.get("/purged").location
	if a := d.must(http.MethodDelete, strings.Replace(d.redirectURL(0, "/purged"), "/redirect/", "/purge/", 1), nil); a.status != http.StatusUnauthorized {
		t.Errorf("a purge without a token is answered with %d, want 401", a.status)
	}
	if a := d.admin(http.MethodDelete, "purge", "/purged"); a.status != http.StatusNoContent {
		t.Fatalf("purge: %d %s", a.status, a.body)
	}
	if a := d.must(http.MethodGet, old, nil); a.status != http.StatusNotFound {
		t.Errorf("the old copy is answered with %d, want 404", a.status)
	}
	a := d.get("/purged")
	if !d.isCopy(a) || a.location == old {
		t.Errorf("after the purge: %d to %q (%s), want a copy elsewhere than %q", a.status, a.location, a.header.Get("Cache-Status"), old)
	}
	if n := d.origin.Count(http.MethodGet, "/purged"); n != 2 {
		t.Errorf("the origin got %d GETs, want 2", n)
	}
	purgeByAddress(d, a.location)
	if a := d.admin(http.MethodDelete, "purge", "/never-seen"); a.status != http.StatusNoContent {
		t.Errorf("purging what is unknown: %d %s, want 204", a.status, a.body)
	}
}

// purgeByAddress purges a copy by the address that clients are redirected to.
func purgeByAddress(d *deployment, address string) {
	d.t.Helper()
	purge := d.frontends[0] + "/v1/purge/e2e/" + region + "/" + base64.RawURLEncoding.EncodeToString([]byte(address))
	header := http.Header{"Authorization": {"Bearer " + token}, "Accept": {"application/json"}}
	for _, want := range []string{"purged", "absent"} {
		if a := d.must(http.MethodDelete, purge, header); a.status != http.StatusOK || !strings.Contains(a.body, `"result":"`+want+`"`) {
			d.t.Errorf("a purge by the address of the copy: %d %s, want %s", a.status, a.body, want)
		}
	}
	if a := d.must(http.MethodGet, address, nil); a.status != http.StatusNotFound {
		d.t.Errorf("the copy is answered with %d, want 404", a.status)
	}
}

func notAllowed(t *testing.T, d *deployment) {
	d.t = t
	base := d.frontends[0] + "/v1/redirect/e2e/" + region + "/"
	for url, want := range map[string]int{
		base + "https://elsewhere.test/x": http.StatusForbidden,
		base + "no-url":                   http.StatusBadRequest,
		base + "http:///no-host":          http.StatusBadRequest,
		base:                              http.StatusBadRequest,
		d.frontends[0] + "/v1/redirect/e2e/mars/" + d.origin.URL + "/": http.StatusNotFound,
		d.redirectURL(0, "/x") + "?wait=forever":                       http.StatusBadRequest,
		d.redirectURL(0, "/x?size=5") + "?utm=1&wait=20s":              http.StatusBadRequest,
		base + d.origin.URL + "/a/..%2fx":                              http.StatusBadRequest,
	} {
		if a := d.must(http.MethodGet, url, nil); a.status != want {
			t.Errorf("GET %s: %d %s, want %d", url, a.status, a.body, want)
		}
	}
	// An option on an encoded URL means nothing to the origin.
	if a := d.must(http.MethodGet, d.redirectURL(0, "/x?size=5")+"?wait=20s", nil); !d.isCopy(a) {
		t.Errorf("with an option: %d %s", a.status, a.body)
	}
	long := "/long?q=" + strings.Repeat("x", 7000)
	if got := d.fetch(long); got.status != http.StatusOK {
		t.Errorf("a URL of 7 KB: %d", got.status)
	}
}

func flush(t *testing.T, d *deployment) {
	d.t = t
	d.origin.Set("/flushed", origintest.Behaviour{SizeBytes: 1000})
	before := d.get("/flushed").location
	if err := d.redisClient().FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	a := d.get("/flushed")
	if a.location != before || !strings.HasPrefix(a.header.Get("Cache-Status"), "cloudmirror; hit") {
		t.Errorf("after a flush: %d to %q (%s), want a hit at %q", a.status, a.location, a.header.Get("Cache-Status"), before)
	}
	if n := d.origin.Count(http.MethodGet, "/flushed"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
}

func gibibyte(t *testing.T, d *deployment) {
	d.t = t
	const size = 1 << 30
	d.origin.Set("/large.img", origintest.Behaviour{SizeBytes: size})
	var a answer
	d.eventually("1 GiB is copied", func() bool { a = d.get("/large.img"); return d.isCopy(a) })
	var status struct {
		Size   int64
		SHA256 string
	}
	if err := json.Unmarshal([]byte(d.admin(http.MethodGet, "status", "/large.img").body), &status); err != nil {
		t.Fatal(err)
	}
	want := sha256.New()
	if _, err := io.Copy(want, origintest.Content("/large.img", size)); err != nil {
		t.Fatal(err)
	}
	if status.Size != size || status.SHA256 != fmt.Sprintf("%x", want.Sum(nil)) {
		t.Errorf("status: %+v, want %d bytes with digest %x", status, int64(size), want.Sum(nil))
	}
	tail := d.must(http.MethodGet, a.location, http.Header{"Range": {"bytes=-1000"}})
	wantTail := make([]byte, 1000)
	if _, err := origintest.Content("/large.img", size).ReadAt(wantTail, size-1000); err != nil {
		t.Fatal(err)
	}
	if tail.body != string(wantTail) {
		t.Error("the last 1000 bytes are not the origin's")
	}
}
