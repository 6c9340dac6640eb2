package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

func TestWaitersOfAnObjectCauseOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := w.newEngine()
		var waiters []*waiter
		for i := range 1000 {
			m := w.engine
			if i%2 == 1 {
				m = other
			}
			waiters = append(waiters, w.wait(t.Context(), m))
		}
		synctest.Wait()
		w.copyOne()
		for _, waiting := range waiters {
			<-waiting.done
			if waiting.err != nil || waiting.view.Entry.State != cache.Present || waiting.view.Source != engine.FromCopy {
				t.Fatalf("a waiter got %v from %v, error %v", waiting.view.Entry.State, waiting.view.Source, waiting.err)
			}
		}
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent, want 1", sent)
		}
		if view := w.peek(); view.Source != engine.FromCache || view.Entry.Copy.SizeBytes != int64(len(content)) {
			t.Errorf("afterwards the cache says %+v", view)
		}
	})
}

// A client that waits must not send the job again, however long it waits, while
// the lease of the queued job lasts.
func TestAWaiterDoesNotSendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		waiting := w.wait(ctx, w.engine)
		<-waiting.done
		if !errors.Is(waiting.err, context.DeadlineExceeded) || waiting.view.Entry.State != cache.Reserved {
			t.Errorf("got %v, error %v, want reserved and the deadline", waiting.view.Entry.State, waiting.err)
		}
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent in 4 minutes, want 1", sent)
		}
	})
}

func TestALostJobIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		lost := w.receive() // acknowledged, and forgotten by its copier
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		again := w.receive()
		if again.ID != lost.ID {
			t.Errorf("sent again as job %s, want %s", again.ID, lost.ID)
		}
		a := w.begin(again)
		if err := a.Complete(t.Context(), w.upload(a)); err != nil {
			t.Fatal(err)
		}
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}

func TestAJobOfADeadCopierIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		dead := w.begin(w.receive())
		time.Sleep(31 * time.Second) // its lease lapses
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
		if err := dead.Renew(t.Context(), cache.Progress{}); !errors.Is(err, engine.ErrLost) {
			t.Errorf("the copier that came back renewed: error %v, want ErrLost", err)
		}
	})
}

func TestAClientThatLeavesLeavesItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := w.wait(ctx, w.engine)
		synctest.Wait()
		cancel()
		<-waiting.done
		if !errors.Is(waiting.err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", waiting.err)
		}
		w.copyOne()
		if view := w.peek(); view.Entry.State != cache.Present {
			t.Errorf("the entry is %v, want present", view.Entry.State)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for name, p := range map[string]engine.Patience{
		"by time":              {Until: time.Date(2000, 1, 1, 0, 2, 0, 0, time.UTC)}, // synctest begins at midnight
		"by its end":           {Until: patient.Until, End: ended},
		"before it has begun":  {},
		"long before it began": {Until: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				view, err := w.engine.Wait(t.Context(), w.want, p)
				if err != nil || view.Entry.State != cache.Reserved {
					t.Errorf("got %v, error %v, want reserved", view.Entry.State, err)
				}
				if sent := w.queue.sent.Load(); sent != 1 {
					t.Errorf("%d jobs were sent, want 1", sent)
				}
			})
		})
	}
}

// What a miss costs in commands to the cache, all processes together.
func TestAMissTakesSixCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Fatal(waiting.err)
		}
		// The waiter's Get and Claim; the copier's Get, Start and Complete; and a Get
		// of the waiter, of its three wakes only for the last.
		if n := w.cache.commands.Load(); n != 6 {
			t.Errorf("%d commands, want 6", n)
		}
	})
}

// A crowd that wants one object costs the cache nothing beside the first client.
func TestClientsThatJoinAFlightReadNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiters := []*waiter{w.wait(t.Context(), w.engine)}
		synctest.Wait()
		before := w.cache.commands.Load()
		for range 1000 {
			waiters = append(waiters, w.wait(t.Context(), w.engine))
		}
		synctest.Wait()
		if n := w.cache.commands.Load() - before; n != 0 {
			t.Errorf("1000 clients that joined took %d commands, want none", n)
		}
		w.copyOne()
		for _, waiting := range waiters {
			if <-waiting.done; waiting.err != nil || waiting.view.Entry.State != cache.Present {
				t.Fatalf("got %v, error %v", waiting.view.Entry.State, waiting.err)
			}
		}
		if n := w.cache.commands.Load(); n != 6 {
			t.Errorf("%d commands in all, want 6", n)
		}
	})
}

// Copiers may be done before the queue has answered that it has the job: then the
// end of the copy is told of together with changes that are not looked at.
func TestACopyIsSeenAtOnceThoughItEndedWhileItsJobWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.queue.answered = make(chan struct{})
		began := time.Now()
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		w.copyOne()
		close(w.queue.answered)
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.State != cache.Present {
			t.Fatalf("got %v, error %v", waiting.view.Entry.State, waiting.err)
		}
		if took := time.Since(began); took > time.Second/2 {
			t.Errorf("it was seen after %v, by polling", took)
		}
	})
}

// What comes in the place of a change that was foreseen is found by the poll.
func TestAPurgeOfAQueuedJobIsFoundByThePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		old := w.receive()
		if _, err := w.newEngine().Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if job := w.receive(); job.Generation == old.Generation {
			t.Error("the job that was sent again is of the old generation")
		} else if a := w.begin(job); a.Complete(t.Context(), w.upload(a)) != nil {
			t.Error("the copy of the new generation was refused")
		}
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.State != cache.Present {
			t.Errorf("got %v, error %v", waiting.view.Entry.State, waiting.err)
		}
	})
}

func TestWithoutPatienceAJobIsEnoughForWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{})
		if err != nil || view.Entry.State != cache.Reserved {
			t.Fatalf("got %v, error %v, want reserved", view.Entry.State, err)
		}
		w.copyOne()
		if view, err = w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil || view.Entry.State != cache.Present {
			t.Errorf("got %v, error %v, want present", view.Entry.State, err)
		}
	})
}

func TestTransientFailuresAreRetriedWhileAClientWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		failure := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503, Message: "busy", Err: errBroken}
		waiting := w.wait(t.Context(), w.engine)
		for try := range engine.MaxTries {
			synctest.Wait()
			job := w.receive()
			if job.Tries != try {
				t.Errorf("the job of try %d says %d tries before", try+1, job.Tries)
			}
			dead, err := w.begin(job).Fail(t.Context(), failure)
			if err != nil || dead != (try == engine.MaxTries-1) {
				t.Fatalf("try %d: dead %t, error %v", try+1, dead, err)
			}
			if !dead {
				time.Sleep(time.Minute) // longer than any delay of the first tries
			}
		}
		<-waiting.done
		e := waiting.view.Entry
		if waiting.err != nil || e.State != cache.Failed || !e.Failure.Permanent || e.Failure.Status != 503 {
			t.Errorf("in the end: %+v, error %v", e, waiting.err)
		}
		if e.Failure.Cause != errBroken.Error() {
			t.Errorf("the cause is %q, want %q", e.Failure.Cause, errBroken)
		}
	})
}

func TestARetryWaitsUntilItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		failure := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 503, RetryAfter: 20 * time.Second}
		if _, err := w.begin(w.receive()).Fail(t.Context(), failure); err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent before the retry is due, want 1", sent)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.State != cache.Present {
			t.Errorf("got %v, error %v, want present", waiting.view.Entry.State, waiting.err)
		}
	})
}

func TestAPermanentFailureIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		gone := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 404, Permanent: true}
		if dead, err := w.begin(w.receive()).Fail(t.Context(), gone); err != nil || dead {
			t.Fatalf("dead %t, error %v", dead, err)
		}
		<-waiting.done
		if f := waiting.view.Entry.Failure; waiting.err != nil || f == nil || f.Status != 404 {
			t.Fatalf("the waiter got %+v, error %v", waiting.view.Entry, waiting.err)
		}
		if view, err := w.engine.Wait(t.Context(), w.want, patient); err != nil || view.Entry.State != cache.Failed {
			t.Errorf("asked again: %v, error %v, want the failure", view.Entry.State, err)
		}
		time.Sleep(31 * time.Second)
		if view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil || view.Entry.State != cache.Reserved {
			t.Errorf("after the negative TTL: %v, error %v, want reserved", view.Entry.State, err)
		}
	})
}

func TestCloseEndsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		w.engine.Close()
		<-waiting.done
		if !errors.Is(waiting.err, engine.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", waiting.err)
		}
		if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("afterwards: error %v, want ErrClosed", err)
		}
	})
}

func TestUnknownBackend(t *testing.T) {
	w := newWorld(t)
	w.want.Backend.Region = "mars"
	if _, err := w.engine.Wait(t.Context(), w.want, patient); !errors.Is(err, engine.ErrUnknownBackend) {
		t.Errorf("error %v, want ErrUnknownBackend", err)
	}
}
