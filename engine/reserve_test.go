package engine_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/storage"
)

// An askedStorage counts what it is asked, and does something between seeing
// whether there is a copy and saying so.
type askedStorage struct {
	storage.Provider
	opens, stats atomic.Int64
	answering    func()
}

func (s *askedStorage) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	s.opens.Add(1)
	return s.Provider.Open(ctx, key)
}

func (s *askedStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	s.stats.Add(1)
	info, err := s.Provider.Stat(ctx, key)
	if s.answering != nil {
		s.answering()
	}
	return info, err
}

// askedWorld returns a world whose storage counts what it is asked.
func askedWorld(t *testing.T) (*world, *askedStorage) {
	t.Helper()
	w := newWorld(t)
	asked := &askedStorage{Provider: w.storage.Provider}
	w.storage.Provider = asked
	return w, asked
}

func (s *askedStorage) check(t *testing.T, what string, opens, stats int64) {
	t.Helper()
	if gotOpens, gotStats := s.opens.Swap(0), s.stats.Swap(0); gotOpens != opens || gotStats != stats {
		t.Errorf("%s: the generation was read %d times and the copy looked for %d times, want %d and %d", what, gotOpens, gotStats, opens, stats)
	}
}

// Beside its upload, a miss asks storage for the copy and for the generation, and
// for nothing again.
func TestAMissLooksAtStorageOnce(t *testing.T) {
	w, asked := askedWorld(t)
	w.makePresent()
	asked.check(t, "a miss", 1, 1)
	w.memory.Flush()
	if view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{}); err != nil || view.Entry.State != cache.Present {
		t.Fatalf("after a flush: %s, error %v", view.Entry.State, err)
	}
	asked.check(t, "a copy that the cache forgot", 1, 1)
}

func TestOneFrontEndLooksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := askedWorld(t)
		answer := make(chan struct{})
		asked.answering = func() { <-answer }
		first := w.wait(t.Context(), w.engine)
		synctest.Wait()
		second := w.wait(t.Context(), w.newEngine())
		synctest.Wait()
		asked.check(t, "two front ends", 1, 1)
		close(answer)
		synctest.Wait()
		w.copyOne()
		<-first.done
		<-second.done
		if first.err != nil || second.err != nil {
			t.Errorf("the first got error %v, the second %v", first.err, second.err)
		}
	})
}

// After a purge and a flush only storage knows the generation. The reservation
// adopts it, and the copier need not ask for it again.
func TestAReservationAdoptsTheGeneration(t *testing.T) {
	for _, again := range []bool{false, true} {
		name := map[bool]string{false: "without a copy", true: "with a copy"}[again]
		t.Run(name, func(t *testing.T) {
			w, asked := askedWorld(t)
			w.makePresent()
			if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
				t.Fatal(err)
			}
			if again {
				w.makePresent()
			}
			w.memory.Flush()
			asked.check(t, "before", asked.opens.Load(), asked.stats.Load())
			view, err := w.engine.Wait(t.Context(), w.want, engine.Patience{})
			if err != nil || view.Entry.Generation == cloudmirror.FirstGeneration || (view.Entry.State == cache.Present) != again {
				t.Fatalf("%s of generation %s, error %v", view.Entry.State, view.Entry.Generation, err)
			}
			if !again {
				w.copyOne()
			}
			asked.check(t, name, 1, 2)
			if state := w.peek().Entry.State; state != cache.Present {
				t.Errorf("the entry is %s at the end", state)
			}
		})
	}
}

// A purge that comes while storage is looked at takes the reservation away: what
// was seen is looked at again.
func TestAPurgeOvertakesALook(t *testing.T) {
	for name, tt := range map[string]struct{ there, flush bool }{
		"that finds nothing":                {},
		"that finds a copy":                 {there: true},
		"that finds a copy, and is flushed": {there: true, flush: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, asked := askedWorld(t)
				if tt.there {
					w.makePresent()
					w.memory.Flush()
				}
				purger := w.newEngine()
				asked.answering = func() {
					asked.answering = nil
					time.Sleep(time.Millisecond) // until the marker is read
					if _, err := purger.Purge(t.Context(), w.want); err != nil {
						t.Error(err)
					}
					if tt.flush {
						w.memory.Flush()
					}
				}
				waiting := w.wait(t.Context(), w.engine)
				time.Sleep(time.Second)
				synctest.Wait()
				job := w.receive()
				if tt.there {
					if job.Generation == cloudmirror.FirstGeneration {
						t.Error("the job is for the generation that was purged")
					}
				} else if job.Generation == cloudmirror.FirstGeneration {
					if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Stale {
						t.Errorf("the job that was overtaken: outcome %v, error %v", outcome, err)
					}
					time.Sleep(4 * time.Second) // the poll finds the purge
					synctest.Wait()
					job = w.receive()
				}
				a := w.begin(job)
				if err := a.Complete(t.Context(), w.upload(a)); err != nil {
					t.Fatal(err)
				}
				<-waiting.done
				if waiting.err != nil || waiting.view.Entry.Generation == cloudmirror.FirstGeneration {
					t.Errorf("the waiter got %+v, error %v", waiting.view.Entry, waiting.err)
				}
			})
		})
	}
}

// A reservation proves nothing once a flush removed it, though another one stands
// in its place.
func TestAnotherReservationProvesNothing(t *testing.T) {
	w := newWorld(t)
	w.ensure()
	job := w.receive()
	if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
		t.Fatal(err)
	}
	w.memory.Flush()
	key := cache.KeyOf(w.want.Object, backendID)
	_, err := cache.Update(t.Context(), w.memory, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Reserve(now, "another job", "another nonce", time.Minute), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a := w.begin(job)
	if err := a.Complete(t.Context(), w.upload(a)); !errors.Is(err, engine.ErrLost) {
		t.Errorf("complete: error %v, want ErrLost", err)
	}
	if view := w.peek(); view.Entry.State == cache.Present {
		t.Errorf("the entry is %+v", view.Entry)
	}
}

// A front end that dies between its claim and its job holds no client up for long.
func TestAReservationOfADeadFrontEndIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.queue.answered = make(chan struct{})
		defer close(w.queue.answered)
		w.wait(ctx, w.engine)
		synctest.Wait()
		w.receive() // and lose it: it was never sent
		sent := w.queue.sent.Load()
		w.queue.answered = nil
		waiting := w.wait(t.Context(), w.newEngine())
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := w.queue.sent.Load() - sent; got != 1 {
			t.Fatalf("%d jobs were sent after 20 s, want 1", got)
		}
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}

// A job that waits long in its queue is not taken for lost while a flight follows it.
func TestAReservationIsKeptWhileItsJobWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		waiting := w.wait(t.Context(), w.engine)
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if sent := w.queue.sent.Load(); sent != 1 {
			t.Errorf("%d jobs were sent, want 1", sent)
		}
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}

// A client that only looks waits for the look that is under way, and is told of the copy.
func TestAPeekWaitsForALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, asked := askedWorld(t)
		w.makePresent()
		w.memory.Flush()
		answer := make(chan struct{})
		asked.answering = func() { <-answer }
		waiting := w.wait(t.Context(), w.engine)
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(answer) })
		if state := w.peek().Entry.State; state != cache.Present {
			t.Errorf("it is told %s", state)
		}
		<-waiting.done
	})
}
