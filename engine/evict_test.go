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
	"cloudmirror/storage"
)

// A deletingStorage tells which keys were deleted, and does something before.
type deletingStorage struct {
	storage.Provider
	deleted  []string
	deleting func(ctx context.Context) error
}

func (s *deletingStorage) Delete(ctx context.Context, key string) error {
	if s.deleting != nil {
		if err := s.deleting(ctx); err != nil {
			return err
		}
	}
	s.deleted = append(s.deleted, key)
	return s.Provider.Delete(ctx, key)
}

// expiredWorld returns a world whose copy's own expiry is over.
func expiredWorld(t *testing.T) (*world, *deletingStorage) {
	t.Helper()
	w := newWorld(t)
	w.makePresent()
	time.Sleep(25 * time.Hour)
	deleting := &deletingStorage{Provider: w.storage.Provider}
	w.storage.Provider = deleting
	return w, deleting
}

func TestEvict(t *testing.T) {
	tests := []struct {
		name    string
		before  func(w *world)
		want    engine.Eviction
		deletes int
		after   cache.State
	}{
		{"a copy whose own expiry is over goes", func(*world) {}, engine.Evicted, 1, cache.Absent},
		{"a copy that is not there is gone", func(w *world) {
			w.storage.Provider.(*deletingStorage).Delete(w.t.Context(), w.want.Object.StorageKey(cloudmirror.FirstGeneration))
		}, engine.Evicted, 2, cache.Absent},
		{"a good copy stays, though the cache does not know it", func(w *world) { w.makePresent(); w.memory.Flush() }, engine.StillGood, 0, cache.Present},
		{"a good copy stays, as the cache knows it", (*world).makePresent, engine.InUse, 0, cache.Present},
		{"a copy that is about to be replaced stays", func(w *world) { w.ensure() }, engine.InUse, 0, cache.Reserved},
		{"so does one that is being replaced", func(w *world) { w.ensure(); w.begin(w.receive()) }, engine.InUse, 0, cache.Copying},
		{"and one whose replacement failed", func(w *world) {
			w.ensure()
			if _, err := w.begin(w.receive()).Fail(w.t.Context(), &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Permanent: true}); err != nil {
				w.t.Fatal(err)
			}
		}, engine.InUse, 0, cache.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, deleting := expiredWorld(t)
				tt.before(w)
				got, err := w.engine.Evict(t.Context(), w.want)
				if err != nil || got != tt.want {
					t.Errorf("outcome %d, error %v, want %d", got, err, tt.want)
				}
				if len(deleting.deleted) != tt.deletes {
					t.Errorf("%d keys were deleted, want %d: %v", len(deleting.deleted), tt.deletes, deleting.deleted)
				}
				if state := w.peek().Entry.State; state != tt.after {
					t.Errorf("afterwards the entry is %s, want %s", state, tt.after)
				}
			})
		})
	}
}

func TestEvictOfWhatWasPurgedLately(t *testing.T) {
	w := newWorld(t)
	if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
		t.Fatal(err)
	}
	if got, err := w.engine.Evict(t.Context(), w.want); err != nil || got != engine.InUse {
		t.Errorf("outcome %d, error %v, want InUse", got, err)
	}
}

// While a copy is evicted, clients wait, and no copier begins. After it the first of
// them has the object copied.
func TestClientsAndCopiersWaitForAnEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, deleting := expiredWorld(t)
		w.ensure()
		job := w.receive()
		w.memory.Flush() // the job is of before
		sent := w.queue.sent.Load()
		goOn := make(chan struct{})
		deleting.deleting = func(context.Context) error { <-goOn; return nil }
		go func() {
			if got, err := w.engine.Evict(t.Context(), w.want); err != nil || got != engine.Evicted {
				t.Errorf("outcome %d, error %v", got, err)
			}
		}()
		synctest.Wait()
		waiting := w.wait(t.Context(), w.newEngine())
		synctest.Wait()
		if state := w.peek().Entry.State; state != cache.Absent {
			t.Errorf("clients see %s, want absent", state)
		}
		if _, outcome, err := w.engine.Begin(t.Context(), job); err != nil || outcome != engine.Held {
			t.Errorf("the job of before: outcome %v, error %v, want Held", outcome, err)
		}
		if n := w.queue.sent.Load() - sent; n != 0 {
			t.Errorf("%d jobs were sent during the eviction", n)
		}
		close(goOn)
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil || waiting.view.Entry.State != cache.Present {
			t.Errorf("the client got %s, error %v", waiting.view.Entry.State, waiting.err)
		}
	})
}

// An eviction whose process dies, or whose storage hangs, holds clients up for one
// lease, in the first half of which its removal is called off.
func TestAnEvictionThatDiesEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, deleting := expiredWorld(t)
		began := time.Now()
		deleting.deleting = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if got, err := w.engine.Evict(t.Context(), w.want); !errors.Is(err, engine.ErrUnavailable) || got != engine.EvictionFailed {
			t.Errorf("outcome %d, error %v, want ErrUnavailable", got, err)
		}
		if took := time.Since(began); took != 7500*time.Millisecond {
			t.Errorf("the removal was called off after %v, want 7.5s", took)
		}
		waiting := w.wait(t.Context(), w.newEngine())
		time.Sleep(time.Second)
		synctest.Wait()
		if w.queue.sent.Load() != 1 {
			t.Error("a job was sent before the lease was over")
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		w.copyOne()
		<-waiting.done
		if waiting.err != nil {
			t.Error(waiting.err)
		}
	})
}
