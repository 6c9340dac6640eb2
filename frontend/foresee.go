package frontend

import (
	"math"
	"net/http"
	"slices"
	"time"

	"cloudmirror/cache"
	"cloudmirror/engine"
)

// A forecast is what a redirect request would be answered now.
type forecast struct {
	answer answer
	// waits is how long the client waits for the copy. If it is made before, the
	// client is redirected to it; the answer is that of a wait in vain.
	waits time.Duration
}

// foresee returns what a redirect would answer to a request for k, of whose copy view
// and err are known. It causes no copy: where redirect would wait for one, it decides
// as redirect does when the wait is over.
func (rd *redirects) foresee(r *http.Request, k *known, view engine.View, err error) forecast {
	if a, decided := rd.decideUnseen(r, k); decided {
		return forecast{answer: a}
	}
	if err != nil || isFinal(view.Entry) {
		return forecast{answer: rd.conclude(r, k, view, "", err)}
	}
	who, refused := rd.waiters.enter(r)
	if refused != "" {
		return forecast{answer: rd.conclude(r, k, view, refused, nil)}
	}
	rd.waiters.leave(who)
	wait := k.terms.wait
	if k.terms.now || rd.draining.Err() != nil {
		wait = 0
	}
	until := untilJob(view)
	if view.Entry.State == cache.Failed && until > wait { // nothing is tried before the wait is over
		return forecast{answer: rd.conclude(r, k, view, "", nil)}
	}
	if until <= wait && rd.isQueueDown(r, k.backend) {
		return forecast{answer: rd.conclude(r, k, view, "", engine.ErrUnavailable), waits: until}
	}
	view.Entry = cache.Entry{State: cache.Queued} // as it is when the client has asked
	return forecast{answer: rd.conclude(r, k, view, rd.waitEnds(k.terms), nil), waits: wait}
}

// untilJob returns after how long a client who waits for the copy has a job sent: at
// once, when a retry is due or, if no copier begins before, when the claim of a job
// lapses. A copier that works keeps its lease.
func untilJob(v engine.View) time.Duration {
	switch e := v.Entry; e.State {
	case cache.Failed:
		return max(e.Failure.RetryAt.Sub(v.Now), 0)
	case cache.Reserved, cache.Queued:
		return max(e.Until.Sub(v.Now), 0)
	case cache.Copying:
		if !e.Lapsed(v.Now) {
			return math.MaxInt64
		}
	case cache.Absent, cache.Present, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	return 0
}

// isQueueDown reports whether the queue of a backend did not answer lately.
func (rd *redirects) isQueueDown(r *http.Request, b *backend) bool {
	counts := rd.census.take(r.Context(), rd.backends)
	return counts[slices.Index(rd.backends, b)].health == healthQueueDown
}
