package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/engine"
	"cloudmirror/storage"
)

// delayedStorage answers after a while.
type delayedStorage struct {
	storage.Provider
	delay time.Duration
}

func (s delayedStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	select {
	case <-time.After(s.delay):
		return s.Provider.Stat(ctx, key)
	case <-ctx.Done():
		return storage.Info{}, ctx.Err()
	}
}

// ensureMany asks for many objects at once, and returns what went wrong, and after
// how long the last one was answered.
func ensureMany(t *testing.T, delay time.Duration) (failures []error, took time.Duration) {
	t.Helper()
	w := newWorld(t)
	w.storage.Provider = delayedStorage{w.storage.Provider, delay}
	began := time.Now()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i := range 500 {
		asking.Go(func() {
			want := engine.Want{Object: object(t, fmt.Sprintf("https://origin.test/%d", i)), Backend: backendID}
			if _, err := w.engine.Wait(t.Context(), want, engine.Patience{}); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			}
		})
	}
	synctest.Wait()
	if commands := w.cache.commands.Load(); commands != 500+64 {
		t.Errorf("%d commands of the cache at first, want a read by each and the claims of 64", commands)
	}
	asking.Wait()
	return failures, time.Since(began)
}

// More looks than there are turns make the later ones slower, and no storage that
// answers look dead.
func TestLooksThatWaitForATurnDoNotFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if failures, took := ensureMany(t, 400*time.Millisecond); len(failures) > 0 {
			t.Errorf("%d of 500 failed in %v, the first with %v", len(failures), took, failures[0])
		}
	})
}

func TestLooksThatWaitForADeadStorageAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures, took := ensureMany(t, time.Hour)
		if len(failures) != 500 || took > 4*time.Second {
			t.Errorf("%d of 500 failed in %v, want all of them when the first looks have ended, and the few that began before the breaker opened: 4s", len(failures), took)
		}
	})
}
