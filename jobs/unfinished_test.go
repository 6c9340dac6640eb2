package jobs_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/jobs"
	"cloudmirror/queue"
)

// A countingEngine makes no copies until a backend is open, and counts.
type countingEngine struct {
	open map[cloudmirror.BackendID]chan struct{}

	mu      sync.Mutex
	asked   map[cloudmirror.BackendID]int
	waiting map[cloudmirror.BackendID]int
	most    map[cloudmirror.BackendID]int
	orders  []*queue.Order
}

func (e *countingEngine) Wait(ctx context.Context, w engine.Want, _ engine.Patience) (engine.View, error) {
	e.count(w, 1)
	defer e.count(w, -1)
	select {
	case <-e.open[w.Backend]:
		return copied(1), nil
	case <-ctx.Done():
		return engine.View{}, ctx.Err()
	}
}

func (e *countingEngine) count(w engine.Want, change int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if change > 0 {
		e.asked[w.Backend]++
		e.orders = append(e.orders, w.Order)
	}
	e.waiting[w.Backend] += change
	e.most[w.Backend] = max(e.most[w.Backend], e.waiting[w.Backend])
}

// All jobs together keep a bounded number of copies unfinished in each backend, and
// say that they are warm ones.
func TestUnfinishedCopiesOfABackendAreBounded(t *testing.T) {
	const objects, bound = 20, 3
	synctest.Test(t, func(t *testing.T) {
		e := &countingEngine{
			open:  map[cloudmirror.BackendID]chan struct{}{east: make(chan struct{}), west: make(chan struct{})},
			asked: make(map[cloudmirror.BackendID]int), waiting: make(map[cloudmirror.BackendID]int), most: make(map[cloudmirror.BackendID]int),
		}
		w := &world{t: t, runs: jobs.New(jobs.Options{Engine: e, Logger: zap.NewNop(), MaxUnfinished: bound})}
		defer w.runs.Close()
		w.start(objects, "/a")
		w.start(objects, "/b")
		synctest.Wait()
		if n := e.asked[east]; n != bound {
			t.Errorf("%d copies are asked for, want %d", n, bound)
		}
		o, err := cloudmirror.ParseObject("https://origin.test/x")
		if err != nil {
			t.Fatal(err)
		}
		w.begin(jobs.Request{Service: "s3", Backends: []cloudmirror.BackendID{west}, Items: []jobs.Item{{Object: o}}})
		close(e.open[west])
		synctest.Wait()
		if e.asked[west] != 1 || e.waiting[west] != 0 {
			t.Error("the copy in another backend is not made")
		}
		close(e.open[east])
		synctest.Wait()
		if e.asked[east] != 2*objects || e.most[east] != bound {
			t.Errorf("%d copies were asked for, %d at a time, want %d and %d", e.asked[east], e.most[east], 2*objects, bound)
		}
		for _, order := range e.orders {
			if order.Priority != queue.Warm || !strings.HasPrefix(order.Reason, "warm job ") || order.Check() != nil {
				t.Fatalf("a job's order is %+v", order)
			}
		}
	})
}

// A restingEngine has copies of paths that begin with /rest rest for an hour before they
// are tried again, and those of others made in a backend that is open.
type restingEngine struct{ countingEngine }

func (e *restingEngine) Wait(ctx context.Context, w engine.Want, p engine.Patience) (engine.View, error) {
	if rest := time.Until(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)); rest > 0 && strings.Contains(w.Object.URL(), "/rest") {
		v := failed()
		v.Now, v.Entry.Failure.Permanent = time.Now(), false
		if v.Entry.Failure.RetryAt = v.Now.Add(rest); p.Until.Before(v.Entry.Failure.RetryAt) {
			return v, nil
		}
		time.Sleep(rest)
	}
	e.count(w, 1)
	defer e.count(w, -1)
	timer := time.NewTimer(time.Until(p.Until))
	defer timer.Stop()
	select {
	case <-e.open[w.Backend]:
		v := copied(1)
		v.Source = engine.FromCache
		return v, nil
	case <-timer.C:
		return engine.View{Entry: cache.Entry{State: cache.Queued}}, nil
	case <-ctx.Done():
		return engine.View{}, ctx.Err()
	}
}

// Copies that rest, and a backend in which none ends, keep no others waiting: not those
// of other jobs, and not those in other backends.
func TestCopiesThatRestKeepNoOthersWaiting(t *testing.T) {
	const bound = 3
	synctest.Test(t, func(t *testing.T) {
		e := &restingEngine{countingEngine{
			open:  map[cloudmirror.BackendID]chan struct{}{east: make(chan struct{}), west: make(chan struct{})},
			asked: make(map[cloudmirror.BackendID]int), waiting: make(map[cloudmirror.BackendID]int), most: make(map[cloudmirror.BackendID]int),
		}}
		w := &world{t: t, runs: jobs.New(jobs.Options{Engine: e, Logger: zap.NewNop(), MaxUnfinished: bound})}
		defer w.runs.Close()
		resting := w.start(40, "/rest")
		synctest.Wait()
		r := requestOf(t, 100, "")
		r.Backends = []cloudmirror.BackendID{east, west}
		both := w.begin(r)
		close(e.open[west])
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.find(w.runs, both.ID); got.Counts.Present != 100 || got.Counts.Pending != 100 || e.most[east] != bound || e.waiting[east] != bound {
			t.Errorf("while no copy ends in one backend: %+v, %d unfinished there, want %d", got.Counts, e.waiting[east], bound)
		}
		close(e.open[east])
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.find(w.runs, both.ID); got.State != api.JobDone || got.Counts.Present != 200 || got.Counts.Bytes != bound {
			t.Errorf("beside copies that rest: %+v, want %d bytes of copies that were made meanwhile", got.Counts, bound)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := w.find(w.runs, resting.ID); got.State != api.JobDone || got.Counts.Present != 40 || e.most[east] != bound {
			t.Errorf("after the rest: %s, %+v", got.State, got.Counts)
		}
	})
}
