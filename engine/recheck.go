package engine

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
)

// Bounds of the rechecks of one process in one backend. Each asks storage for two keys:
// the marker and the copy.
const (
	recheckEvery   = 100 * time.Millisecond // between the beginnings of two
	maxRechecks    = 4                      // at a time
	recheckBackoff = 30 * time.Second       // until a copy is looked at again for which a recheck failed
)

// failedRecheckLogEvery is how often, at most, it is logged that rechecks fail.
const failedRecheckLogEvery = 10 * time.Second

// A recheckResult is what a recheck came to.
type recheckResult int

const (
	recheckThere   recheckResult = iota // storage has the copy
	recheckGone                         // it has not, and the entry was removed
	recheckChanged                      // the entry is another one by now: it was left alone
	recheckFailed                       // storage or the cache did not say
	recheckResults
)

// rechecks are those of one backend.
type rechecks struct {
	next    atomic.Int64           // when the next may begin: nanoseconds since the Engine was made
	running map[cache.Key]struct{} // guarded by Engine.mu
	counts  [recheckResults]prometheus.Counter
}

func newRechecks(counter *prometheus.CounterVec, id cloudmirror.BackendID) *rechecks {
	r := &rechecks{running: make(map[cache.Key]struct{})}
	for result, name := range [recheckResults]string{"there", "gone", "changed", "failed"} {
		r.counts[result] = counter.WithLabelValues(id.Service, id.Region, name)
	}
	return r
}

// newRecheckCounter makes the metric of all rechecks of a process.
func newRecheckCounter(r prometheus.Registerer) *prometheus.CounterVec {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloudmirror_rechecks_total",
		Help: "Looks behind hits whether storage still has the copy, by what they came to: there, gone, changed (the entry, meanwhile), failed.",
	}, []string{"service", "region", "result"})
	if r != nil {
		r.MustRegister(counter)
	}
	return counter
}

// take reports whether a recheck may begin now. Where more copies are due than may be
// looked at, every hit asks, so it takes no lock.
func (r *rechecks) take(now time.Duration) bool {
	next := r.next.Load()
	return int64(now) >= next && r.next.CompareAndSwap(next, int64(now+recheckEvery))
}

// recheck is called with each entry that is handed out because the cache has it. If the
// copy was last seen longer ago than its backend allows, storage is looked at behind
// the hit, and the entry is removed if the copy is gone. The caller does not wait. A
// recheck for which there is no capacity now is left to a later hit.
func (en *Engine) recheck(w Want, key cache.Key, e *cache.Entry, now time.Time) {
	if en.due == nil || e.State != cache.Present || !en.due.isDue(key, now) {
		return
	}
	b := en.backends[w.Backend]
	if b == nil || b.rechecks == nil {
		return
	}
	// A copier saw it later than that, when its upload was done. The storage's clock may
	// be ahead of the cache's.
	if stored := e.Copy.StoredAt; now.Sub(stored).Abs() < b.Recheck {
		en.due.set(key, now.Add(min(b.Recheck, stored.Add(b.Recheck).Sub(now))))
		return
	}
	if b.rechecks.take(time.Since(en.started)) {
		en.beginRecheck(b, w, key, e.Generation, now)
	}
}

// noteSeen notes that storage was just seen to have the copy of an entry.
func (en *Engine) noteSeen(b *Backend, key cache.Key, at cache.Snapshot) {
	if b.rechecks != nil && at.Entry.State == cache.Present {
		en.due.set(key, at.Now().Add(b.Recheck))
	}
}

// beginRecheck looks for the copy of generation g in the background, unless the object
// is being looked at already or too many are.
func (en *Engine) beginRecheck(b *Backend, w Want, key cache.Key, g cloudmirror.Generation, now time.Time) {
	en.mu.Lock()
	defer en.mu.Unlock()
	running := b.rechecks.running
	if _, already := running[key]; already || len(running) >= maxRechecks || en.life.Err() != nil || !en.due.isDue(key, now) {
		return
	}
	running[key] = struct{}{}
	en.due.set(key, now.Add(min(b.Recheck, recheckBackoff)))
	en.running.Go(func() {
		result, err := en.lookAgain(b, w.Object, key, g)
		b.rechecks.counts[result].Inc()
		en.logRecheck(b, w.Object, result, err)
		en.mu.Lock()
		defer en.mu.Unlock()
		delete(running, key)
	})
}

// lookAgain looks whether storage has the copy of generation g, and removes its entry
// if it has not. Only the record is removed that was read before the look: what is in
// its place since then is about a newer copy. The error goes with recheckFailed.
func (en *Engine) lookAgain(b *Backend, o cloudmirror.Object, key cache.Key, g cloudmirror.Generation) (recheckResult, error) {
	at, err := en.get(en.life, key)
	if err != nil {
		return recheckFailed, err
	}
	before := at.Now()
	if e := at.Entry.At(before); e.State != cache.Present || e.Generation != g {
		return recheckChanged, nil
	}
	seen, err := en.lookAlone(en.life, b, o, g)
	if err != nil {
		return recheckFailed, err
	}
	if seen.generation == g && (seen.found || seen.expiring) {
		en.due.set(key, before.Add(b.Recheck))
		return recheckThere, nil
	}
	_, swapped, err := en.swap(en.life, key, at, at.Entry.Lose(at.Now(), g))
	switch {
	case err != nil:
		return recheckFailed, err
	case !swapped:
		return recheckChanged, nil
	}
	return recheckGone, nil
}

// logRecheck tells operators of a copy that is gone, and now and then that rechecks
// fail.
func (en *Engine) logRecheck(b *Backend, o cloudmirror.Object, result recheckResult, err error) {
	switch {
	case result == recheckGone:
		en.logger.Warn("a copy is gone from its storage; the next request has it made again", zap.Stringer("backend", b.ID), zap.Stringer("object", o))
	case err != nil && en.life.Err() == nil:
		en.failureLogs.Do(func() {
			en.logger.Warn("a copy could not be looked at again; it is taken to be there", zap.Stringer("backend", b.ID), zap.Error(err))
		})
	}
}
