package copier_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/origin/origintest"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

func TestACopyIsTheOriginsObject(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/a/tool.bin", origintest.Behaviour{
		SizeBytes: 300_000, Digests: origintest.DigestKinds(),
		Header: http.Header{"Content-Type": {"application/x-tool"}, "X-Amz-Meta-Build": {"7"}, "Set-Cookie": {"no=1"}},
	})
	w.start(time.Second)
	e := w.wait("/a/tool.bin")
	if e.State != cache.Present || e.Copy.SizeBytes != 300_000 {
		t.Fatalf("the entry is %+v, want 300,000 bytes present", e)
	}
	body, info, err := w.files.Open(t.Context(), w.want("/a/tool.bin").Object.StorageKey(e.Generation))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	stored, err := io.ReadAll(body)
	digest := fmt.Sprintf("%x", sha256.Sum256(origintest.Bytes("/a/tool.bin", 300_000)))
	if err != nil || info.SHA256 != digest || e.Copy.SHA256 != digest || fmt.Sprintf("%x", sha256.Sum256(stored)) != digest {
		t.Errorf("stored %d bytes with digest %s, entry %s, error %v", len(stored), info.SHA256, e.Copy.SHA256, err)
	}
	if h := info.Header; h.Get("Content-Type") != "application/x-tool" || h.Get("X-Amz-Meta-Build") != "7" || h.Get("Set-Cookie") != "" {
		t.Errorf("stored headers %v", h)
	}
	if n := w.origin.Count(http.MethodGet, "/a/tool.bin"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
	w.eventually("the message is acknowledged", func() bool { return w.counts() == queue.Counts{} })
}

func TestFaultyOrigins(t *testing.T) {
	t.Parallel() // it waits in real time
	type is = origintest.Behaviour
	tests := []struct {
		name      string
		behaviour is
		want      cloudmirror.Code // "": present
		dead      bool
	}{
		{"an empty object", is{}, "", false},
		{"chunked without a length", is{SizeBytes: 5000, Chunked: true}, "", false},
		{"slow", is{SizeBytes: 5000, BytesPerSecond: 10_000}, "", false},
		{"gzip, kept as it is", is{SizeBytes: 5000, Gzip: true}, "", false},
		{"HEAD refused", is{SizeBytes: 5000, HeadStatus: 405}, "", false},
		{"redirects", is{SizeBytes: 5000, Hops: 3}, "", false},
		{"503 twice, then fine", is{SizeBytes: 5000, Status: 503, Times: 2}, "", false},
		{"cut off once, then continued", is{SizeBytes: 50_000, CutAfter: 20_000, Times: 1}, "", false},
		{"404", is{Status: 404}, cloudmirror.CodeOriginStatus, false},
		{"HEAD fine but GET 403", is{Status: 403, HeadStatus: 200}, cloudmirror.CodeOriginStatus, false},
		{"a redirect loop", is{Hops: 100}, cloudmirror.CodeTooManyRedirects, false},
		{"a redirect to a forbidden address", is{Redirect: "http://169.254.169.254/latest"}, cloudmirror.CodeURLNotAllowed, false},
		{"HEAD fine but GET 500, always", is{Status: 500, HeadStatus: 200}, cloudmirror.CodeOriginStatus, true},
		{"cut off, always", is{SizeBytes: 50_000, CutAfter: 20_000, NoRanges: true}, cloudmirror.CodeOriginTruncated, true},
		{"a wrong digest", is{SizeBytes: 5000, Digests: []string{"content-md5"}, WrongDigest: true}, cloudmirror.CodeDigestMismatch, true},
		{"hanging", is{Hang: true}, cloudmirror.CodeOriginTimeout, true},
		{"too large", is{SizeBytes: 2 << 30}, cloudmirror.CodeObjectTooLarge, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set("/x", tt.behaviour)
			w.start(time.Second)
			e := w.outcome("/x")
			switch {
			case tt.want == "" && e.State != cache.Present:
				t.Errorf("the entry is %+v: %+v, want present", e, e.Failure)
			case tt.want != "" && (e.State != cache.Failed || e.Failure.Code != tt.want):
				t.Errorf("the entry is %+v: %+v, want an error %s", e, e.Failure, tt.want)
			}
			w.eventually("the message is gone", func() bool { c := w.counts(); return c.Ready+c.InFlight+c.Delayed == 0 })
			if dead := w.counts().Dead == 1; dead != tt.dead {
				t.Errorf("in the dead letters: %t, want %t", dead, tt.dead)
			}
			if tt.want != "" {
				if _, err := w.files.Stat(t.Context(), w.want("/x").Object.StorageKey(e.Generation)); !errors.Is(err, storage.ErrNotExist) {
					t.Errorf("something was stored: %v", err)
				}
			}
			if n := w.origin.Count(http.MethodHead, "/x"); n != 0 {
				t.Errorf("the origin got %d HEADs, want none", n)
			}
		})
	}
}

// A copy that takes longer than both the visibility of its message and the lease
// of its entry must not be begun twice.
func TestALongCopyRunsOnce(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newWorld(t)
	w.origin.Set("/long", origintest.Behaviour{SizeBytes: 25_000, BytesPerSecond: 10_000})
	w.start(time.Second)
	w.start(time.Second)
	if e := w.wait("/long"); e.State != cache.Present {
		t.Fatalf("the entry is %+v", e)
	}
	if n := w.origin.Count(http.MethodGet, "/long"); n != 1 {
		t.Errorf("the origin got %d GETs, want 1", n)
	}
}

func TestAStopWaitsForRunningCopies(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	open := w.origin.Gate("/x")
	stop := w.start(waitLimit)
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the copy begins", func() bool { return w.origin.Count(http.MethodGet, "/x") == 1 })
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	open()
	<-stopped
	if view, err := peek(t.Context(), w.engine, w.want("/x")); err != nil || view.Entry.State != cache.Present {
		t.Errorf("after the stop the entry is %v, error %v, want present", view.Entry.State, err)
	}
}

func TestAStopHandsBackWhatTakesTooLong(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	open := w.origin.Gate("/x")
	stop := w.start(10 * time.Millisecond)
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the copy begins", func() bool { return w.origin.Count(http.MethodGet, "/x") == 1 })
	stop()
	view, err := peek(t.Context(), w.engine, w.want("/x"))
	if err != nil || view.Entry.State != cache.Queued || view.Entry.Tries != 0 {
		t.Errorf("handed back: %+v, error %v, want queued without a failed try", view.Entry, err)
	}
	deliveries, err := w.queue.Receive(t.Context(), 10)
	if err != nil || len(deliveries) != 1 || deliveries[0].Receives != 1 {
		t.Fatalf("received %+v, error %v, want one fresh message", deliveries, err)
	}
	if err := w.queue.Extend(t.Context(), deliveries[0], 0); err != nil {
		t.Fatal(err)
	}
	open()
	w.start(time.Second)
	if e := w.wait("/x"); e.State != cache.Present {
		t.Errorf("the next copier left %+v", e)
	}
}

func TestAPurgeStopsTheCopy(t *testing.T) {
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	open := w.origin.Gate("/x")
	defer open()
	w.start(time.Second)
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the copy begins", func() bool { return w.origin.Count(http.MethodGet, "/x") == 1 })
	if _, err := w.engine.Purge(t.Context(), w.want("/x")); err != nil {
		t.Fatal(err)
	}
	w.eventually("the copy is given up", func() bool { return w.metric("lost") == 1 })
	w.eventually("its message is dropped", func() bool { c := w.counts(); return c.Ready+c.InFlight == 0 })
	if w.counts().Dead != 0 {
		t.Error("the message of a purged object is in the dead letters")
	}
}

// Where a reservation proves the generation, it is not read again; where there is
// none, it is read while the copy runs: small copies need not wait for it, and no
// heartbeat has to.
func TestTheGenerationIsProvenWhileTheCopyRuns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ask   func(b *bubble, url string)
		reads int
	}{
		"before it, by who reserved the object": {(*bubble).ask, 1},
		"by the look and the proof of a job that nobody reserved": {func(b *bubble, url string) {
			job := queue.Job{ID: "1", Object: want(b.t, url).Object, Backend: backendID, Generation: cloudmirror.FirstGeneration}
			if err := b.queue.Send(b.t.Context(), job, 0); err != nil {
				b.t.Fatal(err)
			}
		}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const url = "https://origin.test/tool"
				markers := &forgetfulStorage{stored: map[string]storage.Info{}}
				b := newBubbleOn(t, markers, nil)
				b.origin.script(copiesIn(5 * time.Second))
				test.ask(b, url)
				if e := b.after(time.Second, url); e.State != cache.Copying {
					t.Fatalf("after a second the entry is %v, want copying", e.State)
				}
				if looks := markers.count(); looks != test.reads {
					t.Errorf("while the copy runs the marker was read %d times, want %d", looks, test.reads)
				}
				if e := b.after(5*time.Second, url); e.State != cache.Present {
					t.Fatalf("in the end the entry is %v, want present", e.State)
				}
				if n := markers.count(); n != test.reads {
					t.Errorf("it was read %d times in all, want %d", n, test.reads)
				}
			})
		})
	}
}

func TestWhileStorageIsDown(t *testing.T) {
	t.Parallel() // it waits in real time
	w := newWorld(t)
	w.origin.Set("/x", origintest.Behaviour{SizeBytes: 5000})
	if _, err := w.engine.Wait(t.Context(), w.want("/x"), engine.Patience{}); err != nil {
		t.Fatal(err)
	}
	w.files.broken.Store(true)
	w.start(time.Second)
	w.eventually("the job is handed back", func() bool { return w.metric("handed_back") >= 1 })
	w.files.broken.Store(false)
	if e := w.wait("/x"); e.State != cache.Present || w.counts().Dead != 0 {
		t.Errorf("afterwards: %+v, %d dead letters, want present and none", e, w.counts().Dead)
	}
}

func TestAJobForAnotherBackendIsBuried(t *testing.T) {
	w := newWorld(t)
	job := queue.Job{
		ID: "1", Object: w.origin.Object(t, "/x"), Backend: cloudmirror.BackendID{Service: "s3", Region: "mars"},
		Generation: cloudmirror.FirstGeneration, SentAt: time.Now(),
	}
	if err := w.queue.Send(t.Context(), job, 0); err != nil {
		t.Fatal(err)
	}
	w.start(time.Second)
	w.eventually("it is in the dead letters", func() bool { return w.counts() == queue.Counts{Dead: 1} })
}

// Many more jobs than the copier works on at a time are all copied, each once.
func TestManyJobs(t *testing.T) {
	const objects = 1000
	w := newWorld(t)
	w.engine = w.newEngine(engine.Timing{}) // with the usual lease: an attempt that is taken over asks once more
	for i := range objects {
		if _, err := w.engine.Wait(t.Context(), w.want(fmt.Sprintf("/many/%d?size=100", i)), engine.Patience{}); err != nil {
			t.Fatal(err)
		}
	}
	w.start(time.Second)
	for i := range objects {
		if e := w.wait(fmt.Sprintf("/many/%d?size=100", i)); e.State != cache.Present {
			t.Fatalf("object %d is %+v", i, e)
		}
		if n := w.origin.Count(http.MethodGet, fmt.Sprintf("/many/%d", i)); n != 1 {
			t.Errorf("the origin got %d GETs for object %d, want 1", n, i)
		}
	}
	if n, err := testutil.GatherAndCount(w.registry, "cloudmirror_copy_duration_seconds"); err != nil || n != 1 {
		t.Errorf("%d series of durations, error %v, want 1", n, err)
	}
}
