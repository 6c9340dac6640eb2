package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

// die begins an attempt like a copier that dies over it, and lets its lease lapse.
func (w *world) die(job queue.Job) {
	w.t.Helper()
	w.begin(job)
	time.Sleep(time.Minute)
}

// Clients wait for an object over which every copier dies. Its job is sent again
// each time, as a fresh message, so that no message is received too often.
func TestAnObjectOverWhichCopiersDieIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		for range engine.MaxTries {
			w.die(w.receive())
		}
		job := w.receive()
		attempt, outcome, err := w.engine.Begin(t.Context(), job)
		if err != nil || outcome != engine.Exhausted {
			t.Fatalf("outcome %v, error %v, want Exhausted after %d copiers died", outcome, err, engine.MaxTries)
		}
		failure := &cloudmirror.Failure{Code: cloudmirror.CodeCopierLost, Permanent: true, Message: "m", Err: errBroken}
		if _, err := attempt.Fail(t.Context(), failure); err != nil {
			t.Fatal(err)
		}
		<-waiting.done
		if e := waiting.view.Entry; waiting.err != nil || e.State != cache.Failed || e.Failure.Code != cloudmirror.CodeCopierLost {
			t.Errorf("the client is told %+v, error %v, want the failure", e, waiting.err)
		}
	})
}

func TestTriesOfACopierThatTookOverAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		job := w.receive() // no client waits: the message itself comes again
		for range engine.MaxTries {
			w.die(job)
		}
		if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Exhausted {
			t.Errorf("outcome %v, error %v, want Exhausted", outcome, err)
		}
	})
}

func TestARedrivenJobIsBegunOverAnErrorThatStands(t *testing.T) {
	tests := []struct {
		name     string
		redriven bool
		purged   bool
		want     engine.Outcome
	}{
		{"the job itself is dropped", false, false, engine.Stale},
		{"redriven it is begun", true, false, engine.Begun},
		{"after a purge it is dropped", true, true, engine.Stale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ensure()
				job := w.receive()
				failure := &cloudmirror.Failure{Code: cloudmirror.CodeCopierLost, Permanent: true, Message: "m", Err: errors.New("why")}
				if _, err := w.begin(job).Fail(t.Context(), failure); err != nil {
					t.Fatal(err)
				}
				if tt.purged {
					if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
						t.Fatal(err)
					}
				}
				job.Redriven = tt.redriven
				attempt, outcome, err := w.engine.Begin(t.Context(), job)
				if err != nil || outcome != tt.want {
					t.Fatalf("outcome %v, error %v, want %v", outcome, err, tt.want)
				}
				if outcome != engine.Begun {
					return
				}
				if err := attempt.Complete(t.Context(), w.upload(attempt)); err != nil {
					t.Fatal(err)
				}
				if e := w.peek().Entry; e.State != cache.Present {
					t.Errorf("afterwards the entry is %+v, want present", e)
				}
			})
		})
	}
}
