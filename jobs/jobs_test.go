package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/jobs"
	"cloudmirror/kv"
	"cloudmirror/kv/memkv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	east = cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}
	west = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
)

// A fakeEngine makes copies one by one, as it is told to.
type fakeEngine struct{ views chan engine.View }

func (e *fakeEngine) Wait(ctx context.Context, _ engine.Want, _ engine.Patience) (engine.View, error) {
	select {
	case v := <-e.views:
		return v, nil
	case <-ctx.Done():
		return engine.View{}, ctx.Err()
	}
}

func copied(bytes int64) engine.View {
	return engine.View{Entry: cache.Entry{State: cache.Present, Copy: cache.Copy{SizeBytes: bytes}}, Source: engine.FromCopy}
}

func failed() engine.View {
	return engine.View{Entry: cache.Entry{State: cache.Failed, Failure: &cache.FailedTry{Code: cloudmirror.CodeOriginStatus, Message: "404", Permanent: true}}}
}

// A fakeStore is a store that counts what is put into it, and can be down.
type fakeStore struct {
	memkv.Store
	isDown atomic.Bool

	mu   sync.Mutex
	puts map[kv.Table]int
	most int // bytes of one value
}

var errDown = errors.New("down for the test")

func (s *fakeStore) Put(ctx context.Context, t kv.Table, id string, value []byte, life time.Duration) error {
	if s.isDown.Load() {
		return errDown
	}
	s.mu.Lock()
	if s.puts == nil {
		s.puts = make(map[kv.Table]int)
	}
	s.puts[t]++
	s.most = max(s.most, len(value))
	s.mu.Unlock()
	return s.Store.Put(ctx, t, id, value, life)
}

func (s *fakeStore) Get(ctx context.Context, t kv.Table, id string) ([]byte, error) {
	if s.isDown.Load() {
		return nil, errDown
	}
	return s.Store.Get(ctx, t, id)
}

func (s *fakeStore) count(t kv.Table) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[t]
}

// A world is two processes with one store, of which the first runs the jobs.
type world struct {
	t           *testing.T
	engine      *fakeEngine
	store       *fakeStore
	runs, other *jobs.Jobs
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, engine: &fakeEngine{views: make(chan engine.View)}, store: new(fakeStore)}
		w.runs = jobs.New(jobs.Options{Engine: w.engine, Store: w.store, Logger: zap.NewNop()})
		w.other = jobs.New(jobs.Options{Engine: w.engine, Store: w.store, Logger: zap.NewNop()})
		defer w.other.Close()
		defer w.runs.Close()
		test(w)
	})
}

func (w *world) start(urls int, path string) api.Job {
	w.t.Helper()
	return w.begin(requestOf(w.t, urls, path))
}

func requestOf(t *testing.T, urls int, path string) jobs.Request {
	t.Helper()
	r := jobs.Request{Service: "s3", Backends: []cloudmirror.BackendID{east}}
	for i := range urls {
		o, err := cloudmirror.ParseObject(fmt.Sprintf("https://origin.test/%d%s", i, path))
		if err != nil {
			t.Fatal(err)
		}
		r.Items = append(r.Items, jobs.Item{Index: i, Object: o})
	}
	return r
}

func (w *world) begin(r jobs.Request) api.Job {
	w.t.Helper()
	report, err := w.runs.Start(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

func (w *world) find(js *jobs.Jobs, id string) api.Job {
	w.t.Helper()
	r, err := js.Find(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestOtherProcessesFindAJobAtOnceAndFollowIt(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.start(3, "")
		if got := w.find(w.other, j.ID); !j.Shared || !got.Shared || got.State != api.JobRunning || got.Counts.Pending != 3 || fmt.Sprint(got.PendingURLs) != "[0 1 2]" {
			t.Errorf("at once: %+v", got)
		}
		w.engine.views <- copied(5)
		w.engine.views <- failed()
		time.Sleep(time.Second)
		synctest.Wait()
		got := w.find(w.other, j.ID)
		if got.State != api.JobRunning || got.Counts != (api.JobCounts{Pending: 1, Present: 1, Error: 1, Bytes: 5}) || len(got.FailedURLs) != 1 || len(got.PendingURLs) != 1 || len(got.Failures) != 1 {
			t.Errorf("after a second: %+v", got)
		}
		if f := got.Failures[0]; f.Index != got.FailedURLs[0] || f.Code != cloudmirror.CodeOriginStatus || f.Region != "us-east-1" {
			t.Errorf("failure %+v", f)
		}
		present := copied(7)
		present.Source = engine.FromCache
		w.engine.views <- present
		synctest.Wait() // the end is written at once
		if got := w.find(w.other, j.ID); got.State != api.JobDone || got.FinishedAt == nil || got.Counts.Bytes != 5 || len(got.PendingURLs) != 0 {
			t.Errorf("in the end: %+v", got)
		}
		time.Sleep(23 * time.Hour)
		w.find(w.other, j.ID)
		time.Sleep(2 * time.Hour)
		if _, err := w.other.Find(w.t.Context(), j.ID); !errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("after a day: %v, want ErrUnknown", err)
		}
	})
}

func TestAJobIsWrittenAtMostOnceASecond(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start(1000, "")
		for range 900 {
			w.engine.views <- copied(1)
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := w.store.count("jobs"); n < 9 || n > 10 {
			t.Errorf("%d writes in 9 s of changes, want 9 or 10", n)
		}
		before := w.store.count("jobs")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.store.count("jobs") - before; n < 15 || n > 21 {
			t.Errorf("%d writes in a minute without changes, want about one each 3 s", n)
		}
	})
}

func TestAJobWhoseProcessIsGoneIsLost(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.start(2, "")
		time.Sleep(time.Hour + 500*time.Millisecond) // between two ticks of the process, here and below
		if got := w.find(w.other, j.ID); got.State != api.JobRunning {
			t.Errorf("while its process lives: %s", got.State)
		}
		w.store.isDown.Store(true) // the process is not heard of any more
		time.Sleep(jobs.Silence)
		if _, err := w.other.Find(w.t.Context(), j.ID); err == nil || errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("while the store is down: %v, want its error", err)
		}
		if got := w.find(w.runs, j.ID); got.State != api.JobRunning || got.Shared {
			t.Errorf("to its own process: %+v", got)
		}
		w.store.isDown.Store(false)
		if got := w.find(w.other, j.ID); got.State != api.JobLost || fmt.Sprint(got.PendingURLs) != "[0 1]" {
			t.Errorf("after %v: %+v", jobs.Silence, got)
		}
		time.Sleep(3 * time.Second) // it was only cut off
		if got := w.find(w.other, j.ID); got.State != api.JobRunning {
			t.Errorf("when it is heard of again: %s", got.State)
		}
	})
}

func TestAJobRunsWithoutTheStore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.isDown.Store(true)
		j := w.start(1, "")
		if j.Shared || w.find(w.runs, j.ID).State != api.JobRunning {
			t.Errorf("job %+v, want one that says that others do not find it", j)
		}
		w.engine.views <- copied(1)
		synctest.Wait()
		if got := w.find(w.runs, j.ID); got.State != api.JobDone {
			t.Errorf("job %+v", got)
		}
		w.store.isDown.Store(false)
		time.Sleep(2 * time.Second)
		if got := w.find(w.other, j.ID); got.State != api.JobDone || !w.find(w.runs, j.ID).Shared {
			t.Errorf("when the store is back: %+v", got)
		}
	})
}

func TestAnOrderlyStopIsWritten(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.start(2, "")
		w.engine.views <- copied(1)
		synctest.Wait()
		w.runs.Close()
		if got := w.find(w.other, j.ID); got.State != api.JobStopped || got.Counts.Pending != 1 {
			t.Errorf("job %+v", got)
		}
		if _, err := w.runs.Start(w.t.Context(), jobs.Request{Service: "s3", Backends: []cloudmirror.BackendID{east}}); !errors.Is(err, jobs.ErrClosed) {
			t.Errorf("a job begins after that: %v", err)
		}
	})
}

func TestAFlushedStoreIsFilledAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.start(1, "")
		for _, table := range []kv.Table{"jobs", "jobsalive"} {
			if err := w.store.Delete(w.t.Context(), table, j.ID); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(4 * time.Second)
		if got := w.find(w.other, j.ID); got.State != api.JobRunning {
			t.Errorf("job %+v", got)
		}
	})
}

func TestEveryFailedURLIsNamedWithinTheBoundsOfARecord(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.start(1000, "/"+strings.Repeat("&", 8100))
		view := failed()
		view.Entry.Failure.Message = strings.Repeat("m", 4000) // five of them are 61 kB
		for range 1000 {
			w.engine.views <- view
		}
		synctest.Wait()
		for _, js := range []*jobs.Jobs{w.runs, w.other} {
			got := w.find(js, j.ID)
			if n := len(got.Failures); got.State != api.JobDone || len(got.FailedURLs) != 1000 || n != 5 || got.Counts.Error != 1000 {
				t.Errorf("%s, %d failures, want 5, %d failed URLs, %+v", got.State, n, len(got.FailedURLs), got.Counts)
			}
		}
		if w.store.most > 80<<10 { // a thousand of them are 80 MB of the store
			t.Errorf("a record has %d bytes", w.store.most)
		}
	})
}

// A process keeps a hundred jobs.
func TestAJobThatEndedHoldsNoURLs(t *testing.T) {
	inWorld(t, func(w *world) {
		o, err := cloudmirror.ParseObject("https://origin.test/0")
		if err != nil {
			t.Fatal(err)
		}
		items := []jobs.Item{{Object: o}}
		held := weak.Make(&items[0])
		j := w.begin(jobs.Request{Service: "s3", Backends: []cloudmirror.BackendID{east}, Items: items})
		w.engine.views <- copied(1)
		synctest.Wait()
		runtime.GC()
		if got := w.find(w.runs, j.ID); got.State != api.JobDone || held.Value() != nil {
			t.Errorf("%s, the items are held: %v", got.State, held.Value() != nil)
		}
	})
}

func TestRefusalsAreFailures(t *testing.T) {
	inWorld(t, func(w *world) {
		j := w.begin(jobs.Request{
			Service: "s3", Backends: []cloudmirror.BackendID{east, west},
			Refusals: []jobs.Refusal{{Index: 4, URL: "https://evil.test/", Code: "URLNotAllowed", Message: "no"}},
		})
		synctest.Wait()
		if got := w.find(w.other, j.ID); got.State != api.JobDone || got.URLs != 1 || got.Counts.Error != 2 || !slices.Equal(got.FailedURLs, []int{4}) || got.Failures[1].Region != "eu-west-1" {
			t.Errorf("job %+v", got)
		}
	})
}

func TestUnknownJobs(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, id := range []string{"", "x", strings.Repeat("a", 65), "{}\n"} {
			if _, err := w.other.Find(w.t.Context(), id); !errors.Is(err, jobs.ErrUnknown) {
				t.Errorf("%.5q: %v", id, err)
			}
		}
		if err := w.store.Put(w.t.Context(), "jobs", "broken", []byte("{"), time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := w.other.Find(w.t.Context(), "broken"); err == nil {
			t.Error("a broken record is read")
		}
	})
}

// Front ends of the next release write more, and lists that are empty stay lists.
func TestReportsAreJSONOfTheInterface(t *testing.T) {
	text, err := json.Marshal(api.Job{FailedURLs: []int{}, PendingURLs: []int{}})
	if err != nil || !strings.Contains(string(text), `"failed_urls":[],"pending_urls":[],"shared":false`) {
		t.Errorf("%s, %v", text, err)
	}
}
