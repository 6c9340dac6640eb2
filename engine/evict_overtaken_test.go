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

// A flush lets an attempt and an eviction meet. What the attempt uploaded after the
// expiry was read goes, and so clients must not be told of it.
func TestAnEvictionAndAnAttemptThatTheCacheForgot(t *testing.T) {
	tests := []struct {
		name string
		meet func(w *world, a *engine.Attempt, upload func() storage.Info) error // before the removal
	}{
		{"it completes afterwards", func(_ *world, _ *engine.Attempt, upload func() storage.Info) error {
			upload()
			return nil
		}},
		{"it completes meanwhile", func(w *world, a *engine.Attempt, upload func() storage.Info) error {
			if err := a.Complete(w.t.Context(), upload()); !errors.Is(err, engine.ErrLost) {
				w.t.Errorf("error %v, want ErrLost", err)
			}
			return nil
		}},
		{"it completes meanwhile, behind another flush", func(w *world, a *engine.Attempt, upload func() storage.Info) error {
			w.memory.Flush()
			return a.Complete(w.t.Context(), upload())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, deleting := expiredWorld(t)
				w.ensure()
				a := w.begin(w.receive())
				w.memory.Flush()
				var info storage.Info
				deleting.deleting = func(context.Context) error {
					deleting.deleting = nil
					return tt.meet(w, a, func() storage.Info { info = w.upload(a); return info })
				}
				if got, err := w.engine.Evict(t.Context(), w.want); err != nil || got != engine.Evicted {
					t.Errorf("outcome %d, error %v", got, err)
				}
				if err := a.Complete(t.Context(), info); !errors.Is(err, engine.ErrLost) {
					t.Errorf("complete: error %v, want ErrLost", err)
				}
				if state := w.peek().Entry.State; state == cache.Present {
					t.Error("clients are told of a copy that is gone")
				}
				w.makePresent()
			})
		})
	}
}

// The bytes may be gone although the storage did not say so. An attempt that a flush let
// complete meanwhile must not stay visible: no further eviction would find it.
func TestAnEvictionWhoseRemovalFailsBehindAFlush(t *testing.T) {
	tests := []struct {
		name string
		meet func(w *world, a *engine.Attempt)
	}{
		{"an attempt completes meanwhile", func(w *world, a *engine.Attempt) {
			if err := a.Complete(w.t.Context(), w.upload(a)); err != nil {
				w.t.Errorf("complete: error %v", err)
			}
		}},
		{"the cache is empty", func(*world, *engine.Attempt) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, deleting := expiredWorld(t)
				w.ensure()
				a := w.begin(w.receive())
				w.memory.Flush()
				key := w.want.Object.StorageKey(cloudmirror.FirstGeneration)
				deleting.deleting = func(ctx context.Context) error {
					deleting.deleting = nil
					w.memory.Flush()
					tt.meet(w, a)
					return errors.Join(deleting.Provider.Delete(ctx, key), errors.New("the answer is lost"))
				}
				if got, err := w.engine.Evict(t.Context(), w.want); !errors.Is(err, engine.ErrUnavailable) || got != engine.EvictionFailed {
					t.Errorf("outcome %d, error %v, want EvictionFailed", got, err)
				}
				if state := w.peek().Entry.State; state == cache.Present {
					t.Error("clients are told of a copy that is gone")
				}
				if g := w.peek().Entry.Generation; g == cloudmirror.FirstGeneration {
					t.Error("the removal may still be under way, and the next copy has the same key")
				}
			})
		})
	}
}

// An attempt that began behind a flush, and uploaded before the removal, may complete
// only after the eviction has returned.
func TestAnAttemptThatAnEvictionTookTheUploadOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, deleting := expiredWorld(t)
		var a *engine.Attempt
		var info storage.Info
		w.storage.Provider = &meetingStorage{Provider: deleting, beforeDelete: func() {
			w.memory.Flush()
			w.ensure()
			a = w.begin(w.receive())
			info = w.upload(a)
		}}
		if got, err := w.engine.Evict(t.Context(), w.want); err != nil || got != engine.Evicted {
			t.Errorf("outcome %d, error %v, want Evicted", got, err)
		}
		if err := a.Complete(t.Context(), info); !errors.Is(err, engine.ErrLost) {
			t.Errorf("complete: error %v, want ErrLost", err)
		}
	})
}

// A reservation does not know yet of which generation its copy will be.
func TestAnEvictionWhoseRemovalFailsBeforeAReservationAdopts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.engine.Purge(t.Context(), w.want); err != nil {
			t.Fatal(err)
		}
		w.makePresent()
		time.Sleep(25 * time.Hour)
		key := cache.KeyOf(w.want.Object, w.want.Backend)
		w.storage.Provider = &meetingStorage{Provider: w.storage.Provider, failsDelete: errBroken, beforeDelete: func() {
			w.memory.Flush()
			if _, err := cache.Update(t.Context(), w.memory, key, cache.Snapshot{}, func(e cache.Entry, now time.Time) (cache.Entry, error) {
				return e.Reserve(now, "job", "nonce", time.Minute), nil
			}); err != nil {
				t.Fatal(err)
			}
		}}
		if got, err := w.engine.Evict(t.Context(), w.want); !errors.Is(err, engine.ErrUnavailable) || got != engine.EvictionFailed {
			t.Errorf("outcome %d, error %v, want EvictionFailed", got, err)
		}
		if at, err := w.memory.Get(t.Context(), key); err != nil || at.Entry.State != cache.Tombstone {
			t.Errorf("afterwards the entry is %s, error %v, want a tombstone", at.Entry.State, err)
		}
	})
}

// A meetingStorage has something happen before it is first asked for a copy or for a
// removal, which it makes whatever the caller's deadline.
type meetingStorage struct {
	storage.Provider
	beforeStat, beforeDelete func()
	failsDelete              error
}

func (s *meetingStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	once(&s.beforeStat)
	return s.Provider.Stat(ctx, key)
}

func (s *meetingStorage) Delete(ctx context.Context, key string) error {
	err := s.failsDelete
	s.failsDelete = nil
	once(&s.beforeDelete)
	return errors.Join(s.Provider.Delete(context.WithoutCancel(ctx), key), err)
}

func once(do *func()) {
	if f := *do; f != nil {
		*do = nil
		f()
	}
}

// An eviction purges a copy that it may have removed, and no other.
func TestAnEvictionPurgesNoOtherCopy(t *testing.T) {
	purgedAndCopied := func(w *world) {
		if _, err := w.engine.Purge(w.t.Context(), w.want); err != nil {
			w.t.Fatal(err)
		}
		w.makePresent()
	}
	tests := []struct {
		name         string
		beforeStat   func(w *world)
		beforeDelete func(w *world)
		failsDelete  error
		want         engine.Eviction
	}{
		{"one that was made behind a purge", nil, purgedAndCopied, nil, engine.Evicted},
		{"nor if the removal fails", nil, purgedAndCopied, errBroken, engine.EvictionFailed},
		{"one that was made behind a flush, and stays", func(w *world) { w.memory.Flush(); w.makePresent() }, nil, nil, engine.StillGood},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, deleting := expiredWorld(t)
				w.storage.Provider = &meetingStorage{
					Provider:   deleting,
					beforeStat: bind(tt.beforeStat, w), beforeDelete: bind(tt.beforeDelete, w), failsDelete: tt.failsDelete,
				}
				if got, err := w.engine.Evict(t.Context(), w.want); got != tt.want || (err != nil) != (tt.failsDelete != nil) {
					t.Errorf("outcome %d, error %v, want %d", got, err, tt.want)
				}
				if view := w.peek(); view.Entry.State != cache.Present {
					t.Errorf("the good copy is %s", view.Entry.State)
				}
			})
		})
	}
}

func bind(f func(*world), w *world) func() {
	if f == nil {
		return nil
	}
	return func() { f(w) }
}

// A process that stands still for longer than the lease may remove what was copied since.
func TestCopiesThatALateEvictionRemovesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, deleting := expiredWorld(t)
		w.storage.Provider = &meetingStorage{Provider: deleting, beforeDelete: func() {
			time.Sleep(16 * time.Second)
			w.makePresent()
		}}
		if got, err := w.engine.Evict(t.Context(), w.want); err != nil || got != engine.Evicted {
			t.Errorf("outcome %d, error %v, want Evicted", got, err)
		}
		if state := w.peek().Entry.State; state == cache.Present {
			t.Error("clients are told of a copy that is gone")
		}
	})
}
