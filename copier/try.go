package copier

import (
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/sony/gobreaker/v2"

	"cloudmirror"
	"cloudmirror/origin"
)

// provenBytes of a body show that a host is well: a probe need not wait for the
// end of a copy that takes hours.
const provenBytes = 1 << 20

// errNeutral is what a try is settled with that says nothing of its host.
var errNeutral = errors.New("copier: no fault of the host")

// A try is one use of a host that its breaker admitted.
type try struct {
	host *host
	done func(error)
	once sync.Once
}

// settle tells the breaker how the try of an object ended; only the first call
// counts. An error that is no *cloudmirror.Failure is not the host's.
func (t *try) settle(o cloudmirror.Object, err error) {
	t.once.Do(func() { t.done(t.host.verdict(o, err)) })
}

// verdict returns what the outcome of a try says of the host: nil if it is well,
// errNeutral if nobody knows, else the failure. An object that fails again and
// again counts once: it may be the only one that does.
func (h *host) verdict(o cloudmirror.Object, err error) error {
	if err != nil {
		f, ok := errors.AsType[*cloudmirror.Failure](err)
		switch {
		case !ok || saysNothing(f) || !h.did(f):
			return errNeutral
		case isTrouble(f):
			return h.failed(o, f)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streak = nil
	return nil
}

func (h *host) failed(o cloudmirror.Object, f *cloudmirror.Failure) error {
	isProbe := h.breaker.State() != gobreaker.StateClosed
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.streak, o.Hash()) && !isProbe {
		return errNeutral
	}
	if !isProbe {
		h.streak = append(h.streak, o.Hash())
	}
	return f
}

// did reports whether a failure is of the host itself, and not of one that it
// redirects to: anybody who finds an open redirect could otherwise have a host
// left alone.
func (h *host) did(f *cloudmirror.Failure) bool { return f.Host == "" || f.Host == h.name }

// saysNothing reports whether a failure came about without the host's doing. A
// copy that took too long in all may have had too little of our own bandwidth.
func saysNothing(f *cloudmirror.Failure) bool {
	ours := []cloudmirror.Code{cloudmirror.CodeURLNotAllowed, cloudmirror.CodeStorageFailed, cloudmirror.CodeInternal}
	return errors.Is(f, origin.ErrTooSlow) || slices.Contains(ours, f.Code) || f.Code == cloudmirror.CodeOriginTimeout && f.Permanent
}

// isTrouble reports whether a failure says that the host, and not just the
// object, is in trouble.
func isTrouble(f *cloudmirror.Failure) bool {
	if f.Code == cloudmirror.CodeOriginStatus {
		return f.Status >= 500 && f.Status != http.StatusLoopDetected || f.Status == http.StatusTooManyRequests
	}
	return f.Code == cloudmirror.CodeOriginUnreachable || f.Code == cloudmirror.CodeOriginTimeout
}

// asksForRest reports whether a failure asks us to leave the whole host alone.
func asksForRest(f *cloudmirror.Failure) bool {
	return f.RetryAfter > 0 && (f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable)
}
