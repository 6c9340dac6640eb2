package frontend_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/engine"
	"cloudmirror/frontend"
)

// A scriptedEngine is the real engine but for Wait, for outcomes that take a race
// to cause.
type scriptedEngine struct {
	*engine.Engine
	wait func(ctx context.Context) (engine.View, error)
}

func (e *scriptedEngine) Wait(ctx context.Context, _ engine.Want, _ engine.Patience) (engine.View, error) {
	return e.wait(ctx)
}

func withEngine(e *scriptedEngine) func(*frontend.Options) {
	return func(o *frontend.Options) {
		e.Engine = o.Engine.(*engine.Engine)
		o.Engine = e
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
		w := newWorld(t, withEngine(&scriptedEngine{wait: func(ctx context.Context) (engine.View, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // as an engine may that is busy
			return engine.View{}, ctx.Err()
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
