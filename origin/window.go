package origin

import (
	"errors"
	"fmt"
	"time"

	"cloudmirror"
)

// ErrTooSlow is the cause of the failure of a body that fell below the least
// throughput (Options.MinBytesPerSecond). It says nothing of the host: anyone can
// name a URL that is slow on purpose.
var ErrTooSlow = errors.New("origin: below the least throughput")

// A window is what reads of a body brought in the time that they waited for it.
// What the caller does between reads is not in it.
type window struct {
	waited time.Duration
	bytes  int64
}

func (w *window) add(n int, waited time.Duration) {
	w.waited += waited
	w.bytes += int64(n)
}

// tooSlow judges a window that is full, and begins the next one. It returns nil or
// a transient failure. It is called after a read that brought something or
// nothing, but did not fail: a read that brings nothing for IdleTimeout fails by
// that.
func (b *span) tooSlow() error {
	o := &b.exchange.client.options
	if b.window.waited < o.MinRateOver {
		return nil
	}
	full := b.window
	b.window = window{}
	if o.MinBytesPerSecond < 0 || float64(full.bytes) >= full.waited.Seconds()*float64(o.MinBytesPerSecond) {
		return nil
	}
	return b.failure(cloudmirror.CodeOriginTimeout, fmt.Sprintf(
		"the origin is too slow: it sent %d bytes in %v, and at least %d bytes a second are asked for",
		full.bytes, full.waited.Round(time.Millisecond), o.MinBytesPerSecond), ErrTooSlow)
}
