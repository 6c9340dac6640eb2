package frontend

import (
	"math"
	"net/http"
	"slices"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// A prediction is what a redirect request would be answered now.
type prediction struct {
	answer answer
	// waits is how long the client waits for the copy. If it is made before, the
	// client is redirected to it; the answer is that of a wait in vain.
	waits time.Duration
}

// predictAnswer returns what a redirect would answer on a route, of whose copy view and
// err are known. It causes no copy: where redirect would wait for one, it chooses as
// redirect does when the wait is over, and excludes from the route what that excludes.
func (rd *redirects) predictAnswer(r *http.Request, rt *route, view engine.View, err error) prediction {
	if a, found := rd.answerWithoutCopy(r, rt); found {
		return prediction{answer: a}
	}
	if err != nil || isFinal(view.Entry) {
		return prediction{answer: rd.chooseAnswer(r, rt, view, "", err)}
	}
	network, refused := rd.waiters.acquire(rd.client(r))
	if refused != "" {
		return prediction{answer: rd.chooseAnswer(r, rt, view, refused, nil)}
	}
	rd.waiters.release(network)
	wait := rt.target.wait
	if rt.target.now || rd.draining.Err() != nil {
		wait = 0
	}
	until := untilJob(view)
	if view.Entry.State == cache.Failed && until > wait { // nothing is tried before the wait is over
		return prediction{answer: rd.chooseAnswer(r, rt, view, "", nil)}
	}
	if until <= wait && rd.isQueueDown(r, rt.best(cloudmirror.PlaceCopy).place.Backend) {
		return prediction{answer: rd.chooseAnswer(r, rt, view, "", engine.ErrUnavailable), waits: until}
	}
	view.Entry = cache.Entry{State: cache.Queued} // as it is when the client has asked
	return prediction{answer: rd.chooseAnswer(r, rt, view, rd.whyWaitEnds(rt.target), nil), waits: wait}
}

// untilJob returns after how long the engine sends a job for a client that waits for the copy: at
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
func (rd *redirects) isQueueDown(r *http.Request, id cloudmirror.BackendID) bool {
	counts := rd.queues.count(r.Context(), rd.backends)
	return counts[slices.Index(rd.backends, rd.backend(id))].health == api.HealthQueueUnreachable
}
