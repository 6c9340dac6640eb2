package copier

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of what is read at once from a body that is held to a bandwidth: a
// tenth of a second's worth within them.
const (
	minBurstBytes = 4 << 10
	maxBurstBytes = 1 << 20
)

// newBandwidth returns the limiter of a number of bytes a second, or nil if that
// is 0.
func newBandwidth(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(min(max(bytesPerSecond/10, minBurstBytes), maxBurstBytes)))
}

// throttled returns a reader of body that keeps to a bandwidth. It waits between
// reads, when the origin client's clocks stand still, and no longer than ctx
// lives.
func throttled(ctx context.Context, body io.Reader, bandwidth *rate.Limiter) io.Reader {
	if bandwidth == nil {
		return body
	}
	return readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p[:min(len(p), bandwidth.Burst())])
		// WaitN would refuse at once to wait beyond the deadline.
		pause(ctx, bandwidth.ReserveN(time.Now(), n).Delay())
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		return n, err
	})
}
