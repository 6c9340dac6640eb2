package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/storage"
)

// A cache may do what it is told and lose the answer.

func TestALostAnswerToAClaimLeavesNothingPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cache.lose.Store(1)
		if _, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
		if state := w.peek().Entry.State; state != cache.Absent {
			t.Errorf("the entry is %v without a job, want absent", state)
		}
		w.makePresent()
	})
}

func TestALostAnswerToAStartKeepsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		job := w.receive()
		w.cache.lose.Store(1)
		if _, outcome, err := w.engine.Begin(t.Context(), job); !errors.Is(err, engine.ErrUnavailable) || outcome != engine.Undecided {
			t.Errorf("outcome %v, error %v, want None and ErrUnavailable", outcome, err)
		}
		if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Held {
			t.Errorf("at once: outcome %v, error %v, want Held: the message must not be dropped", outcome, err)
		}
		time.Sleep(31 * time.Second)
		w.begin(job)
	})
}

func TestALostAnswerToTheEndIsNoLoss(t *testing.T) {
	tests := []struct {
		name string
		end  func(w *world, a *engine.Attempt) error
	}{
		{"complete", func(w *world, a *engine.Attempt) error {
			return a.Complete(w.t.Context(), storage.Info{SizeBytes: 1, StoredAt: time.Now()})
		}},
		{"fail", func(w *world, a *engine.Attempt) error {
			dead, err := a.Fail(w.t.Context(), &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 500})
			if err == nil && !dead {
				w.t.Error("the fifth failed try does not send the job to the dead letters")
			}
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ensure()
				job := w.receive()
				job.Tries = engine.MaxTries - 1
				a := w.begin(job)
				w.cache.lose.Store(1)
				if err := tt.end(w, a); !errors.Is(err, engine.ErrUnavailable) {
					t.Fatalf("error %v, want ErrUnavailable", err)
				}
				if err := tt.end(w, a); err != nil {
					t.Errorf("tried again: error %v, want none", err)
				}
			})
		})
	}
}

// A purge that died after its marker must not keep clients waiting for the life
// of an older tombstone.
func TestAPurgeThatDiedHalfwayIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.makePresent()
		if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		marker := string(cloudmirror.NewGeneration())
		if _, err := w.storage.Put(t.Context(), w.want.Object.MarkerKey(), strings.NewReader(marker), storage.PutOptions{
			SizeBytes: int64(len(marker)), Replace: true,
		}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{})
		if took := time.Since(began); err != nil || view.Entry.State != cache.Queued || took > 2*time.Second {
			t.Errorf("got %v, error %v, after %v, want queued within 2s", view.Entry.State, err, took)
		}
	})
}

func TestAnAttemptFindsTheCopyOfADeadCopier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		job := w.receive()
		w.upload(w.begin(job)) // and then it died
		time.Sleep(31 * time.Second)
		if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Exists {
			t.Errorf("outcome %v, error %v, want Exists", outcome, err)
		}
		if state := w.peek().Entry.State; state != cache.Present {
			t.Errorf("the entry is %v, want present", state)
		}
	})
}
