package copier

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/origin"
)

// provenBytes of a body show that a host is well: a probe need not wait for the
// end of a copy that takes hours.
const provenBytes = 1 << 20

// A hostUse is one copy's use of a host that admitted it.
type hostUse struct {
	host   *host
	object cloudmirror.Object
	once   sync.Once
}

// recordOutcome notes how the use ended; only the first call counts. An error that is no
// *cloudmirror.Failure is not the host's.
func (u *hostUse) recordOutcome(err error) {
	u.once.Do(func() { u.host.recordOutcome(u.object, err) })
}

// recordOutcome notes what the outcome of a use says of the host. A failure that names
// another host, or none, says nothing of it: a client that finds an open redirect
// could otherwise have it paused.
func (h *host) recordOutcome(o cloudmirror.Object, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	f, isFailure := errors.AsType[*cloudmirror.Failure](err)
	switch {
	case err != nil && (!isFailure || isOurs(f)):
	case err != nil && !h.did(f):
		h.health.failedElsewhere(now, o.Hash())
	case err == nil || !isTrouble(f):
		if h.health.succeeded(now, o.Hash()) {
			h.logger.Info("an origin host answers again; it is not paused any more", zap.String("origin", h.origin))
		}
	case h.health.failed(now, o.Hash(), restAskedFor(f)):
		h.logger.Warn("an origin host is paused: it fails, or asked for a pause",
			zap.String("origin", h.origin), zap.Duration("trial every", h.health.interval(now)), zap.Error(err))
	}
}

// isOurs reports whether a failure says nothing of any origin.
func isOurs(f *cloudmirror.Failure) bool {
	return f.Code == cloudmirror.CodeStorageFailed || f.Code == cloudmirror.CodeInternal
}

// did reports whether a failure says how the host fares. A copy that took too
// long in all may have had too little of the copier's own bandwidth, and a stranger
// chooses which objects drip.
func (h *host) did(f *cloudmirror.Failure) bool {
	tookTooLong := f.Code == cloudmirror.CodeOriginTimeout && f.Permanent
	return f.Origin == h.origin && !tookTooLong && !errors.Is(f, origin.ErrTooSlow)
}

// isTrouble reports whether a failure says that the host, and not just the
// object, is in trouble.
func isTrouble(f *cloudmirror.Failure) bool {
	if f.Code == cloudmirror.CodeOriginStatus {
		return f.Status >= 500 && f.Status != http.StatusLoopDetected || f.Status == http.StatusTooManyRequests
	}
	return f.Code == cloudmirror.CodeOriginUnreachable || f.Code == cloudmirror.CodeOriginTimeout
}

// restAskedFor returns for how long a failure asks us to leave the origin alone.
func restAskedFor(f *cloudmirror.Failure) time.Duration {
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		return f.RetryAfter
	}
	return 0
}
