package cache

import (
	"sync"
	"testing"
)

func told(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

func TestNotifyTellsTheWatchersOfTheKeyAlone(t *testing.T) {
	var w Watchers
	first, stopFirst := w.Watch("key")
	second, stopSecond := w.Watch("key")
	other, stopOther := w.Watch("other")
	defer stopFirst()
	defer stopSecond()
	defer stopOther()
	w.Notify("key")
	if !told(first) || !told(second) {
		t.Error("a watcher of the key was not told")
	}
	if told(other) {
		t.Error("a watcher of another key was told")
	}
	w.NotifyAll()
	if !told(first) || !told(second) || !told(other) {
		t.Error("not all were told")
	}
}

func TestChangesAreToldOneByOneUntilTheyAreTooMany(t *testing.T) {
	var w Watchers
	changed, stop := w.Watch("key")
	defer stop()
	for n := 1; n <= 2*MaxUntold; n++ {
		for range n {
			w.Notify("key")
		}
		if got := countTold(changed); got != min(n, MaxUntold) {
			t.Errorf("%d changes are %d values, want %d", n, got, min(n, MaxUntold))
		}
	}
	w.NotifyAll()
	if got := countTold(changed); got != MaxUntold {
		t.Errorf("a gap is %d values, want %d", got, MaxUntold)
	}
}

func countTold(changed <-chan struct{}) (n int) {
	for told(changed) {
		n++
	}
	return n
}

func TestStoppedWatchersAreToldNothingAndLeaveNothing(t *testing.T) {
	var w Watchers
	first, stopFirst := w.Watch("key")
	second, stopSecond := w.Watch("key")
	stopFirst()
	stopFirst()
	w.Notify("key")
	if told(first) {
		t.Error("a stopped watcher was told")
	}
	if !told(second) {
		t.Error("a watcher was stopped by another's stop")
	}
	stopSecond()
	if len(w.byKey) != 0 {
		t.Errorf("%d keys are kept without watchers", len(w.byKey))
	}
}

func TestWatchersAreSafeForConcurrentUse(t *testing.T) {
	var (
		w       Watchers
		running sync.WaitGroup
	)
	for range 8 {
		running.Go(func() {
			for range 100 {
				changed, stop := w.Watch("key")
				w.Notify("key")
				if !told(changed) {
					t.Error("a watcher was not told of a change after it registered")
				}
				w.NotifyAll()
				stop()
			}
		})
	}
	running.Wait()
}
