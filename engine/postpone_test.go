package engine_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/queue"
)

func TestAPostponedAttemptCostsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		paused := &cloudmirror.Failure{Code: cloudmirror.CodeOriginPaused, RetryAfter: 40 * time.Second}
		for range 2 * engine.MaxTries {
			synctest.Wait()
			job := w.receive()
			if job.Tries != 0 {
				t.Fatalf("the job says %d tries before, want none", job.Tries)
			}
			if err := w.begin(job).Postpone(t.Context(), paused); err != nil {
				t.Fatal(err)
			}
			sent := w.queue.sent.Load()
			time.Sleep(39 * time.Second)
			synctest.Wait()
			if view := w.peek(); view.Entry.State != cache.Failed || view.Entry.Failure.Permanent || w.queue.sent.Load() != sent {
				t.Fatalf("before the retry is due the entry is %+v, %d jobs more were sent", view.Entry, w.queue.sent.Load()-sent)
			}
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.State != cache.Present {
			t.Errorf("in the end: %v, error %v, want present", waiting.view.Entry.State, waiting.err)
		}
	})
}

// A client that would be gone before anything is tried again is answered at once.
func TestWaitingForALateRetryIsOfNoUse(t *testing.T) {
	for name, tt := range map[string]struct{ retryAfter, waits time.Duration }{
		"the retry is due after the wait": {retryAfter: 29 * time.Second, waits: 0},
		"the retry is due within it":      {retryAfter: 20 * time.Second, waits: 28 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ensure()
				busy := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503, RetryAfter: tt.retryAfter}
				if _, err := w.begin(w.receive()).Fail(t.Context(), busy); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err := w.engine.Wait(t.Context(), w.want, engine.Patience{Until: began.Add(28 * time.Second)})
				if waited := time.Since(began); err != nil || waited != tt.waits {
					t.Errorf("waited %v, error %v, want %v", waited, err, tt.waits)
				}
			})
		})
	}
}

// Also the last of the tries, which makes the failure stand for the negative TTL
// of 30 s, does not shorten what the origin asked for.
func TestNoTryBeforeTheOriginsRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		busy := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 429, RetryAfter: 10 * time.Minute}
		for try := range engine.MaxTries {
			w.ensure()
			if _, err := w.begin(w.receive()).Fail(t.Context(), busy); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10*time.Minute - time.Second)
			for _, m := range []*engine.Engine{w.engine, w.newEngine()} {
				if view, err := m.Wait(t.Context(), w.want, engine.Patience{}); err != nil || view.Entry.State != cache.Failed {
					t.Fatalf("after try %d, too soon: %v, error %v, want the failure", try+1, view.Entry.State, err)
				}
			}
			time.Sleep(2 * time.Second)
		}
	})
}

func TestADeferredJobIsNotTakenForLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		time.Sleep(4 * time.Minute) // of the claim's 5
		job := w.receive()
		if err := w.engine.Defer(t.Context(), job, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute - time.Second)
		if n, err := w.queue.Queue.(queue.Counter).Count(t.Context()); err != nil || n.Ready != 0 || n.Delayed != 1 || w.queue.sent.Load() != 2 {
			t.Fatalf("the queue holds %+v after %d sends, error %v, want one delayed job of 2 sends", n, w.queue.sent.Load(), err)
		}
		time.Sleep(2 * time.Second)
		if again := w.receive(); !reflect.DeepEqual(again, job) {
			t.Errorf("received %+v, want %+v", again, job)
		}
		a := w.begin(job)
		if err := a.Complete(t.Context(), w.upload(a)); err != nil {
			t.Fatal(err)
		}
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}

// TestAnEntrySaysUntilWhenItsJobRests holds what an entry says of delays against when
// a copier gets the job.
func TestAnEntrySaysUntilWhenItsJobRests(t *testing.T) {
	const delay = 40 * time.Second
	for name, rest := range map[string]func(w *world, job queue.Job) error{
		"a job that was not begun": func(w *world, job queue.Job) error { return w.engine.Defer(w.t.Context(), job, delay) },
		"an attempt that is handed back": func(w *world, job queue.Job) error {
			return w.begin(job).HandBack(w.t.Context(), delay)
		},
		"a slow attempt that is handed back": func(w *world, job queue.Job) error {
			return w.begin(job).HandBackSlow(w.t.Context(), delay)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ensure()
				if q := w.peek().Entry.Queueing; q == nil || !q.Since.Equal(time.Now()) || !q.DelayedTo.IsZero() {
					t.Errorf("a job that was just sent: %+v", q)
				}
				time.Sleep(5 * time.Second)
				if err := rest(w, w.receive()); err != nil {
					t.Fatal(err)
				}
				e := w.peek().Entry
				if !e.Queues() || e.Queueing == nil || !e.Queueing.DelayedTo.Equal(time.Now().Add(delay)) {
					t.Fatalf("the entry is %+v", e)
				}
				time.Sleep(time.Until(e.Queueing.DelayedTo) - time.Millisecond)
				if n, err := w.queue.Queue.(queue.Counter).Count(t.Context()); err != nil || n.Ready != 0 || n.Delayed != 1 {
					t.Errorf("before then the queue holds %+v, error %v", n, err)
				}
				time.Sleep(time.Millisecond)
				w.receive()
			})
		})
	}
}

func TestAJobThatCannotBeDeferredKeepsItsMessage(t *testing.T) {
	w := newWorld(t)
	w.ensure()
	job := w.receive()
	for name, broken := range map[string]interface{ Store(bool) }{"cache": &w.cache.broken, "queue": &w.queue.broken} {
		broken.Store(true)
		if err := w.engine.Defer(t.Context(), job, time.Minute); !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("with a broken %s: error %v, want ErrUnavailable", name, err)
		}
		broken.Store(false)
	}
}
