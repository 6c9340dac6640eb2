package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudmirror/origin/origintest"
	"cloudmirror/test/servers"
)

// newCluster starts two front ends and two copiers on Redis, SQS and S3.
func newCluster(t *testing.T, serviceKeys ...string) (d *deployment, frontends, copiers [2]*servers.Process) {
	t.Helper()
	p := parts{redis: servers.StartRedis(t), moto: servers.StartMoto(t), s3: servers.StartVersityGW(t, region)}
	d = newDeployment(t, p, "redis", "sqs", "s3", serviceKeys...)
	for i := range 2 {
		frontends[i], copiers[i] = d.start("frontend"), d.start("copier")
	}
	d.awaitCopies()
	return d, frontends, copiers
}

// A load is clients that ask for objects all the time, follow, and compare bytes.
type load struct {
	requests, redirected, wrong, failed atomic.Int64
	stop                                func()
}

// startLoad asks for the objects of paths, each of size bytes, until it is
// stopped. Whatever a client gets that is not the object counts as wrong.
func (d *deployment) startLoad(clients int, paths []string, size int64) *load {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	l := &load{}
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := c; ctx.Err() == nil; i++ {
				path := paths[i%len(paths)]
				l.requests.Add(1)
				a, err := d.send(http.MethodGet, d.redirectURL(i, path), nil)
				if err != nil || a.status != http.StatusFound {
					l.failed.Add(1)
					d.t.Logf("GET %s: %d %s, error %v", path, a.status, a.body, err)
					continue
				}
				if d.isCopy(a) {
					l.redirected.Add(1)
				}
				got, err := d.send(http.MethodGet, a.location, nil)
				if err != nil || got.status != http.StatusOK || got.body != string(origintest.Bytes(path, size)) {
					l.wrong.Add(1)
					d.t.Logf("following %s to %s: %d, %d bytes, error %v", path, a.location, got.status, len(got.body), err)
				}
			}
		})
	}
	l.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	d.t.Cleanup(l.stop)
	return l
}

func (l *load) check(t *testing.T) {
	t.Helper()
	l.stop()
	t.Logf("%d requests, %d sent to copies", l.requests.Load(), l.redirected.Load())
	if l.failed.Load() > 0 || l.wrong.Load() > 0 {
		t.Errorf("of %d requests %d failed and %d led to wrong bytes", l.requests.Load(), l.failed.Load(), l.wrong.Load())
	}
}

func paths(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("/load/%d.bin", i)
	}
	return all
}

func TestFlushUnderLoad(t *testing.T) {
	d, _, _ := newCluster(t, "wait: 20s")
	all := paths(10)
	for _, path := range all {
		d.origin.Set(path, origintest.Behaviour{SizeBytes: 2000})
		d.fetch(path)
	}
	l := d.startLoad(8, all, 2000)
	redis := d.redisClient()
	for range 10 {
		before := l.requests.Load()
		d.eventually("clients go on", func() bool { return l.requests.Load() > before+50 })
		if err := redis.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	l.check(t)
	if l.redirected.Load() != l.requests.Load() {
		t.Errorf("%d of %d requests were sent to the origin", l.requests.Load()-l.redirected.Load(), l.requests.Load())
	}
	for _, path := range all {
		// Each client that the load's end interrupted fetched nothing.
		if n := d.origin.Count(http.MethodGet, path); n != 1 {
			t.Errorf("the origin got %d GETs for %s, want 1", n, path)
		}
	}
}

func TestKilledCopier(t *testing.T) {
	d, _, copiers := newCluster(t, "wait: 1s")
	const size = 19 << 20 // less than four parts: one connection, one GET
	d.origin.Set("/big", origintest.Behaviour{SizeBytes: size, BytesPerSecond: 8 << 20})
	if a := d.get("/big"); a.status != http.StatusFound || d.isCopy(a) {
		t.Fatalf("while it is copied: %d to %q, want the origin", a.status, a.location)
	}
	// Whichever has the job is in the middle of it now.
	if n := d.origin.Count(http.MethodGet, "/big"); n != 1 {
		t.Fatalf("the origin got %d GETs, want 1", n)
	}
	for _, c := range copiers {
		c.Kill()
	}
	d.start("copier")
	d.eventually("the copy is made after all", func() bool { return d.isCopy(d.get("/big")) })
	if got := d.fetch("/big"); got.body != string(origintest.Bytes("/big", size)) {
		t.Errorf("the copy has %d bytes, not the origin's", len(got.body))
	}
	if n := d.origin.Count(http.MethodGet, "/big"); n != 2 {
		t.Errorf("the origin got %d GETs, want 2", n)
	}
}

func TestKilledFrontend(t *testing.T) {
	d, frontends, _ := newCluster(t, "wait: 30s")
	d.origin.Set("/x", origintest.Behaviour{SizeBytes: 1000})
	open := d.origin.Gate("/x")
	lost := make(chan error)
	go func() {
		_, err := d.send(http.MethodGet, d.redirectURL(0, "/x"), nil)
		lost <- err
	}()
	d.eventually("the copy begins", func() bool { return d.origin.Count(http.MethodGet, "/x") == 1 })
	other := make(chan answer)
	go func() {
		a, err := d.send(http.MethodGet, d.redirectURL(1, "/x"), nil)
		if err != nil {
			t.Error(err)
		}
		other <- a
	}()
	frontends[0].Kill()
	if err := <-lost; err == nil {
		t.Error("the client of a killed front end got an answer")
	}
	open()
	if a := <-other; !d.isCopy(a) {
		t.Errorf("the client of the other one got %d to %q (%s)", a.status, a.location, a.header.Get("Cache-Status"))
	}
	if n := d.origin.Count(http.MethodGet, "/x"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
}

// A stop answers the clients that wait, hands back what is being copied, and cuts off no
// download.
func TestOrderlyStop(t *testing.T) {
	d, frontends, copiers := newCluster(t, "wait: 50s")
	d.origin.Set("/x", origintest.Behaviour{SizeBytes: 1000})
	open := d.origin.Gate("/x")
	waiting := make(chan answer, 2)
	for i := range 2 {
		go func() {
			a, err := d.send(http.MethodGet, d.redirectURL(i, "/x"), nil)
			if err != nil {
				t.Error(err)
			}
			waiting <- a
		}()
	}
	d.eventually("the copy begins", func() bool { return d.origin.Count(http.MethodGet, "/x") == 1 })
	if code := frontends[0].Terminate(); code != 0 {
		t.Errorf("the front end ended with status %d", code)
	}
	if a := <-waiting; a.status != http.StatusFound || d.isCopy(a) {
		t.Errorf("its client got %d to %q, want the origin", a.status, a.location)
	}
	for _, c := range copiers {
		if code := c.Terminate(); code != 0 {
			t.Errorf("a copier ended with status %d", code)
		}
	}
	open()
	d.start("copier")
	if a := <-waiting; !d.isCopy(a) {
		t.Errorf("the client of the other front end got %d to %q, want the copy", a.status, a.location)
	}
}

// Whatever is down, clients get to the object, and all is well afterwards.
func TestDependenciesDown(t *testing.T) {
	outages := []struct {
		name   string
		broken func(d *deployment) (mend func())
		copies bool // whether clients are still sent to copies
	}{
		{"Redis is killed", func(d *deployment) func() {
			d.parts.redis.Kill()
			return d.parts.redis.Restart
		}, true},
		{"Redis hangs", func(d *deployment) func() {
			d.parts.redis.Stop()
			return d.parts.redis.Continue
		}, true},
		{"SQS hangs", func(d *deployment) func() {
			d.parts.moto.Stop()
			return d.parts.moto.Continue
		}, true},
	}
	d, _, _ := newCluster(t, "wait: 5s")
	known := paths(5)
	for _, path := range known {
		d.origin.Set(path, origintest.Behaviour{SizeBytes: 2000})
		d.fetch(path)
	}
	for i, outage := range outages {
		t.Run(outage.name, func(t *testing.T) {
			d.t = t
			mend := outage.broken(d)
			mend = sync.OnceFunc(mend)
			defer mend()
			l := d.startLoad(4, known, 2000)
			unknown := fmt.Sprintf("/new/%d", i)
			d.origin.Set(unknown, origintest.Behaviour{SizeBytes: 500})
			if a := d.get(unknown); a.status != http.StatusFound || d.isCopy(a) {
				t.Errorf("a new object: %d to %q (%s), want the origin", a.status, a.location, a.header.Get("Cache-Status"))
			}
			d.eventually("clients go on", func() bool { return l.requests.Load() > 100 })
			l.check(t)
			if outage.copies && l.redirected.Load() < l.requests.Load()*9/10 {
				t.Errorf("only %d of %d requests were sent to copies", l.redirected.Load(), l.requests.Load())
			}
			for _, frontend := range d.frontends {
				a := d.must(http.MethodGet, frontend+"/readyz", nil)
				if a.status != http.StatusOK {
					t.Errorf("/readyz: %d", a.status)
				}
			}
			mend()
			d.eventually("new objects are copied again", func() bool { return d.isCopy(d.get(unknown)) })
		})
	}
}

func TestStartWithEverythingDown(t *testing.T) {
	p := parts{redis: servers.StartRedis(t), moto: servers.StartMoto(t), s3: servers.StartVersityGW(t, region)}
	d := newDeployment(t, p, "redis", "sqs", "s3", "wait: 5s")
	p.redis.Kill()
	p.moto.Stop()
	p.s3.Stop()
	d.start("frontend")
	d.start("copier")
	d.origin.Set("/x", origintest.Behaviour{SizeBytes: 500})
	if a := d.get("/x"); a.status != http.StatusFound || d.isCopy(a) {
		t.Errorf("with everything down: %d to %q, want the origin", a.status, a.location)
	}
	d.eventually("/readyz says what is down", func() bool {
		body := d.must(http.MethodGet, d.frontends[0]+"/readyz", nil).body
		return strings.HasPrefix(body, "ready\n") && !strings.Contains(body, "ok\n")
	})
	p.redis.Restart()
	p.moto.Continue()
	p.s3.Continue()
	d.eventually("objects are copied", func() bool { return d.isCopy(d.get("/x")) })
}

// A copy that was under way when its object was purged cannot come back, even if
// it ends long afterwards.
func TestPurgeOfACopyInFlight(t *testing.T) {
	d, _, _ := newCluster(t, "wait: 20s")
	const size = 12 << 20 // several parts
	d.origin.Set("/x", origintest.Behaviour{SizeBytes: size, BytesPerSecond: 6 << 20})
	first := make(chan answer)
	go func() {
		a, err := d.send(http.MethodGet, d.redirectURL(0, "/x"), nil)
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	d.eventually("the copy begins", func() bool { return d.origin.Count(http.MethodGet, "/x") == 1 })
	d.origin.Set("/x", origintest.Behaviour{SizeBytes: 1000}) // what the origin has from now on
	if a := d.admin(http.MethodDelete, "purge", "/x"); a.status != http.StatusNoContent {
		t.Fatalf("purge: %d %s", a.status, a.body)
	}
	want := string(origintest.Bytes("/x", 1000))
	for i := range 2 {
		var a answer
		d.eventually("there is a copy again", func() bool { // a slow queue sends some to the origin first
			a = d.must(http.MethodGet, d.redirectURL(i, "/x"), nil)
			return d.isCopy(a)
		})
		if got := d.must(http.MethodGet, a.location, nil); got.body != want {
			t.Errorf("front end %d leads to %d bytes, want the new object", i, len(got.body))
		}
	}
	if a := <-first; d.isCopy(a) {
		if got := d.must(http.MethodGet, a.location, nil); got.body != want {
			t.Errorf("who waited through the purge was led to %d bytes, want the new object", len(got.body))
		}
	}
	if err := d.redisClient().FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := d.fetch("/x"); got.body != want { // a look at storage needs no queue
		t.Errorf("after a flush: %d bytes, want the new object", len(got.body))
	}
}

// Ten thousand jobs wait behind a copier that does two at a time: all are done.
func TestTenThousandJobs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute or more; runs without -short")
	}
	const objects = 10_000
	d := newDeployment(t, parts{}, "memory", "memory", "file", "mode: redirect-now")
	d.env = append(d.env, "CLOUDMIRROR_COPIER_CONCURRENCY=2")
	d.start("serve")
	keepAlive := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer keepAlive.CloseIdleConnections()
	ask := func(i int) (isCopy bool) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.redirectURL(0, fmt.Sprintf("/many/%d?size=100", i)), nil)
		if err != nil {
			t.Error(err)
			return false
		}
		response, err := keepAlive.Do(request)
		if err != nil {
			t.Error(err)
			return false
		}
		defer response.Body.Close()
		return d.isCopy(answer{status: response.StatusCode, location: response.Header.Get("Location")})
	}
	var asking sync.WaitGroup
	for worker := range 16 {
		asking.Go(func() {
			for i := worker; i < objects; i += 16 {
				ask(i)
			}
		})
	}
	asking.Wait()
	deadline := time.Now().Add(10 * time.Minute)
	for i := range objects {
		for !ask(i) {
			if time.Now().After(deadline) {
				t.Fatalf("object %d is not copied after 10 minutes", i)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if n := d.origin.Count(http.MethodGet, fmt.Sprintf("/many/%d", i)); n != 1 {
			t.Errorf("the origin got %d GETs for object %d, want 1", n, i)
		}
	}
}
