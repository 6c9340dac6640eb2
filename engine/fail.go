package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// MaxTries is how many tries of one object may fail in a row, or be left without an end
// by copiers that died, before its job goes to the dead letters and the failure counts as
// permanent for a while.
const MaxTries = 5

// Delays before a failed object is tried again: doubled with each try, and cut
// by up to a half at random.
const (
	minRetryDelay = 500 * time.Millisecond
	maxRetryDelay = time.Minute
)

// Fail ends the attempt without a copy. It reports whether the job has used up
// its tries and belongs to the dead letters. No client has it tried again
// before f.RetryAfter has passed, whatever became of the tries. The errors are ErrLost
// and ErrUnavailable.
func (a *Attempt) Fail(ctx context.Context, f *cloudmirror.Failure) (dead bool, err error) {
	err = a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		tries := e.Tries + 1
		dead = !f.Permanent && tries >= MaxTries
		return e.Fail(now, a.id, cache.FailedTry{
			Code: f.Code, Message: f.Message, Cause: cause(f), Status: f.Status,
			Permanent: f.Permanent || dead,
			RetryAt:   now.Add(max(retryDelay(tries), f.RetryAfter)),
		}, max(a.backend.NegativeTTL, f.RetryAfter, minNegativeTTL))
	}, func(e cache.Entry) bool { return e.State == cache.Failed && e.Job == a.job.ID })
	return dead && err == nil, err
}

// minNegativeTTL is how long a permanent failure is remembered at least, so that
// the clients that wait for it learn of it.
const minNegativeTTL = time.Second

// Postpone ends an attempt before its origin was asked for anything, since it
// should not be asked before f.RetryAfter has passed: the entry becomes a
// transient error until then, the next client has it tried again after that,
// and no try is used up. The caller acknowledges the message. The errors are
// ErrLost and ErrUnavailable.
func (a *Attempt) Postpone(ctx context.Context, f *cloudmirror.Failure) error {
	return a.end(ctx, func(e cache.Entry, now time.Time) (cache.Entry, error) {
		return e.Postpone(now, a.id, cache.FailedTry{
			Code: f.Code, Message: f.Message, Cause: cause(f), RetryAt: now.Add(f.RetryAfter),
		})
	}, func(e cache.Entry) bool { return e.State == cache.Failed && e.Job == a.job.ID })
}

// cause returns the private error chain, cut to what an entry may keep.
func cause(f *cloudmirror.Failure) string {
	if f.Err == nil {
		return ""
	}
	return cloudmirror.Line(cloudmirror.Brief(f.Err), cache.MaxCauseBytes)
}

// retryDelay returns how long to wait after a number of failed tries, at least 1.
func retryDelay(tries int) time.Duration {
	delay := min(minRetryDelay<<min(tries-1, 16), maxRetryDelay)
	return delay - rand.N(delay/2) //nolint:gosec // jitter needs no secrecy
}
