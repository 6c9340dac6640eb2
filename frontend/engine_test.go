package frontend_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/frontend"
	"cloudmirror/mirror"
)

// A scriptedEngine is the real engine but for Ensure and Wait, for outcomes that
// take a race to cause.
type scriptedEngine struct {
	*mirror.Mirror
	ensure, wait func(ctx context.Context) (mirror.View, error)
}

func (e *scriptedEngine) Ensure(ctx context.Context, _ mirror.Want) (mirror.View, error) {
	return e.ensure(ctx)
}

func (e *scriptedEngine) Wait(ctx context.Context, _ mirror.Want) (mirror.View, error) {
	return e.wait(ctx)
}

func withEngine(e *scriptedEngine) func(*frontend.Options) {
	return func(o *frontend.Options) {
		e.Mirror = o.Mirror.(*mirror.Mirror)
		o.Mirror = e
	}
}

func viewOf(e cache.Entry) func(context.Context) (mirror.View, error) {
	return func(context.Context) (mirror.View, error) { return mirror.View{Entry: e, Now: time.Now()}, nil }
}

// What is not there at first and known by the cache a moment later was made for
// the client that waited.
func TestCopyMadeBetweenTwoLooks(t *testing.T) {
	tests := []struct {
		name  string
		found cache.Entry
		want  expectation
	}{
		{"present", cache.Entry{State: cache.Present, Generation: cloudmirror.FirstGeneration}, expectation{
			status: 302, cacheStatus: "cloudmirror; fwd=miss; stored", outcome: "miss",
		}},
		{
			"failed",
			cache.Entry{State: cache.Failed, Failure: &cache.Failure{Code: cloudmirror.CodeOriginStatus, Message: "the origin answered 410 Gone", Status: 410, Permanent: true}},
			failure(410, "OriginStatus", "fwd=miss; fwd-status=410; detail=origin-status", ""),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, withEngine(&scriptedEngine{ensure: viewOf(cache.Entry{State: cache.Queued}), wait: viewOf(tt.found)}))
				tt.want.check(t, w, <-w.ask(http.MethodGet, ""), http.MethodGet)
			})
		})
	}
}

// The time that it takes to make sure of a job counts.
func TestWaitIncludesTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withService(func(s *frontend.Service) { s.Wait = 5 * time.Second }))
		w.storages[east].delay = time.Second
		began := time.Now()
		toOrigin("wait-timeout").check(t, w, <-w.ask(http.MethodGet, ""), http.MethodGet)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the client waited for %v, want 5s", took)
		}
	})
}

func TestCloseWaitsForJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withEngine(&scriptedEngine{wait: func(ctx context.Context) (mirror.View, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // as an engine may that is busy
			return mirror.View{}, ctx.Err()
		}}))
		path, _ := w.warm(warmPayload)
		synctest.Wait()
		began := time.Now()
		w.frontend.Close()
		if took, j := time.Since(began), w.follow(path); took != time.Second || j.State != "stopped" {
			t.Errorf("Close took %v, and left job %+v", took, j)
		}
	})
}
