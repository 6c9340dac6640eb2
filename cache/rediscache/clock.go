package rediscache

import (
	"sync/atomic"
	"time"
)

// goodRoundTrip is the longest round trip whose time is taken for exact enough:
// the error is at most half of it.
const goodRoundTrip = 250 * time.Millisecond

// A clock tells the server's time by the local clock and the offset between the
// two, which every swap and every canary measures. Before the first of them, a
// moment after New, the local clock is believed. The servers of a Cluster are
// taken to have one time; where they do not, a swap is refused once, with the
// right time.
type clock struct {
	offset atomic.Int64 // nanoseconds that the server is ahead
	known  atomic.Bool
}

// now returns the server's time as far as it is known.
func (c *clock) now() time.Time { return c.at(time.Now()) }

// at returns the server's time at a local one.
func (c *clock) at(local time.Time) time.Time { return local.Add(time.Duration(c.offset.Load())) }

// learn takes note of the time that the server told, in microseconds since 1970,
// when it was asked at a local time, and returns the server's time now.
func (c *clock) learn(asked time.Time, microseconds int64) time.Time {
	local := time.Now()
	roundTrip := local.Sub(asked)
	now := time.UnixMicro(microseconds).Add(roundTrip / 2)
	if roundTrip <= goodRoundTrip || !c.known.Load() {
		c.offset.Store(int64(now.Sub(local)))
		c.known.Store(true)
	}
	return now
}
