package cache

import "sync"

// MaxUntold is how many changes a watcher that has not read them yet is told of
// one by one. More are joined.
const MaxUntold = 4

// Watchers keeps the channels of a driver's Watch. The zero value is ready, and
// safe for concurrent use.
type Watchers struct {
	mu    sync.Mutex
	byKey map[Key]map[chan struct{}]struct{}
}

// Watch registers a channel, as Store.Watch describes.
func (w *Watchers) Watch(key Key) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, MaxUntold)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = make(map[Key]map[chan struct{}]struct{})
	}
	if w.byKey[key] == nil {
		w.byKey[key] = make(map[chan struct{}]struct{})
	}
	w.byKey[key][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byKey[key], c)
		if len(w.byKey[key]) == 0 {
			delete(w.byKey, key)
		}
	}
}

// Notify tells the watchers of key that its entry changed.
func (w *Watchers) Notify(key Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.byKey[key] {
		wake(c)
	}
}

// NotifyAll tells all watchers, of as many changes as they can be told of: after a
// flush, or a gap in the news, there may have been any number.
func (w *Watchers) NotifyAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, channels := range w.byKey {
		for c := range channels {
			for range MaxUntold {
				wake(c)
			}
		}
	}
}

// wake never blocks: a channel that is full tells of changes already.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
