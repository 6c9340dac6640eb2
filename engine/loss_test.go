package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

func TestAFailedSendReleasesTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.queue.broken.Store(true)
		if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("error %v, want ErrUnavailable because of the queue", err)
		}
		if state := w.peek().Entry.State; state != cache.Absent {
			t.Errorf("the entry is %v, want absent", state)
		}
		w.queue.broken.Store(false)
		w.makePresent()
	})
}

func TestAFlushCostsOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.makePresent()
		w.memory.Flush()
		looked := w.storage.stats.Load()
		for i, want := range []engine.Source{engine.FromStorage, engine.FromCache} {
			view, err := w.engine.Wait(t.Context(), w.want, patient)
			if err != nil || view.Entry.State != cache.Present || view.Source != want {
				t.Errorf("request %d: %v from %v, error %v, want present from %v", i+1, view.Entry.State, view.Source, err, want)
			}
		}
		if stats := w.storage.stats.Load() - looked; stats != 1 {
			t.Errorf("storage was asked for the copy %d times, want once", stats)
		}
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent, want 1", sent)
		}
	})
}

func TestWithoutTheCache(t *testing.T) {
	tests := []struct {
		name    string
		present bool
		err     error
	}{
		{"a copy in storage is found", true, nil},
		{"an object without one is unavailable", false, engine.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if tt.present {
					w.makePresent()
				}
				sent := w.queue.sent.Load()
				w.cache.broken.Store(true)
				view, err := w.engine.Wait(t.Context(), w.want, patient)
				if !errors.Is(err, tt.err) || (view.Entry.State == cache.Present) != tt.present {
					t.Errorf("got %v, error %v", view.Entry.State, err)
				}
				if w.queue.sent.Load() != sent {
					t.Error("a job was sent without a claim")
				}
			})
		})
	}
}

// A storage that cannot be asked must not look like one that has no copy.
func TestWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.makePresent()
		w.memory.Flush()
		w.storage.broken.Store(true)
		if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent, want only the first", sent)
		}
	})
}

func TestAFlushDuringACopy(t *testing.T) {
	tests := []struct {
		name string
		then func(w *world, a *engine.Attempt) error
	}{
		{"the entry comes back with the next heartbeat", func(w *world, a *engine.Attempt) error {
			if err := a.Renew(w.t.Context(), cache.Progress{DoneBytes: 3}); err != nil {
				return err
			}
			if e := w.peek().Entry; e.State != cache.Copying || e.Progress.DoneBytes != 3 {
				w.t.Errorf("after the heartbeat the entry is %+v", e)
			}
			return a.Complete(w.t.Context(), w.upload(a))
		}},
		{"the copy is completed without one", func(w *world, a *engine.Attempt) error {
			return a.Complete(w.t.Context(), w.upload(a))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				waiting := w.wait(t.Context(), w.engine)
				synctest.Wait()
				a := w.begin(w.receive())
				w.memory.Flush()
				if err := tt.then(w, a); err != nil {
					t.Fatal(err)
				}
				<-waiting.done
				if waiting.err != nil || waiting.view.Entry.State != cache.Present {
					t.Errorf("the waiter got %v, error %v", waiting.view.Entry.State, waiting.err)
				}
			})
		})
	}
}

func TestAJobThatOutlivesAFlush(t *testing.T) {
	t.Run("is carried out if there is no copy", func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		w.memory.Flush()
		w.copyOne()
		if state := w.peek().Entry.State; state != cache.Present {
			t.Errorf("the entry is %v, want present", state)
		}
	})
	t.Run("is done if there is one", func(t *testing.T) {
		w := newWorld(t)
		w.ensure()
		job := w.receive()
		a := w.begin(job)
		if err := a.Complete(t.Context(), w.upload(a)); err != nil {
			t.Fatal(err)
		}
		w.memory.Flush()
		if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Exists {
			t.Errorf("the duplicate: outcome %v, error %v, want Exists", outcome, err)
		}
	})
}

func TestDuplicatesOfAJob(t *testing.T) {
	w := newWorld(t)
	w.ensure()
	job := w.receive()
	a := w.begin(job)
	if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Held {
		t.Errorf("the same job while it runs: outcome %v, error %v, want Held", outcome, err)
	}
	other := job
	other.ID = cloudmirror.NewID()
	if _, outcome, err := w.engine.Begin(t.Context(), other); err != nil || outcome != engine.Busy {
		t.Errorf("another job while it runs: outcome %v, error %v, want Busy", outcome, err)
	}
	if err := a.Complete(t.Context(), w.upload(a)); err != nil {
		t.Fatal(err)
	}
	if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Exists {
		t.Errorf("afterwards: outcome %v, error %v, want Exists", outcome, err)
	}
}

func TestHandBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		job := w.receive()
		a := w.begin(job)
		if err := a.HandBack(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if e := w.peek().Entry; e.State != cache.Queued || e.Tries != 0 {
			t.Errorf("the entry is %+v, want queued without a failed try", e)
		}
		time.Sleep(time.Second)
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}

func TestAnExpiredCopyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.makePresent()
		time.Sleep(24*time.Hour - time.Minute) // within the margin before its end
		view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{})
		if err != nil || view.Entry.State != cache.Reserved {
			t.Fatalf("got %v, error %v, want reserved", view.Entry.State, err)
		}
		if job := w.receive(); !job.Replace {
			t.Error("the job does not say that a copy is in the way")
		}
	})
}
