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

func TestNotifyJoinsWhatIsNotRead(t *testing.T) {
	var w Watchers
	changed, stop := w.Watch("key")
	defer stop()
	for range 3 {
		w.Notify("key")
		w.NotifyAll()
	}
	if !told(changed) || told(changed) {
		t.Error("six changes are not one value")
	}
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
