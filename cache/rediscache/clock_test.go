package rediscache

import (
	"testing"
	"time"
)

func TestClockFollowsTheServers(t *testing.T) {
	near := func(got, want time.Time) bool { return got.Sub(want).Abs() < 10*time.Second }
	var c clock
	if !near(c.now(), time.Now()) {
		t.Error("a clock that learnt nothing is not the local one")
	}

	ahead := time.Now().Add(time.Hour)
	if got := c.learn(time.Now(), ahead.UnixMicro()); !near(got, ahead) {
		t.Errorf("the server's time is %v, learnt %v", ahead, got)
	}
	if !near(c.now(), ahead) {
		t.Error("the clock does not keep what it learnt")
	}

	// A slow answer tells little: the clock stays, the answer's own time counts
	// as half the way old.
	slow, behind := time.Now().Add(-time.Minute), time.Now().Add(-time.Hour)
	if got := c.learn(slow, behind.UnixMicro()); !near(got, behind.Add(30*time.Second)) {
		t.Errorf("the slow answer's time is %v, want %v", got, behind.Add(30*time.Second))
	}
	if !near(c.now(), ahead) {
		t.Error("a slow answer moved the clock")
	}

	c = clock{}
	c.learn(slow, behind.UnixMicro())
	if !near(c.now(), behind.Add(30*time.Second)) {
		t.Error("a slow first answer is not taken, though it is all there is")
	}
}

func TestBackoffGrowsToABound(t *testing.T) {
	for failures := range 100 {
		if got := backoff(failures); got < firstBackoff/2 || got > lastBackoff {
			t.Errorf("after %d failures the wait is %v", failures, got)
		}
	}
	if first, later := backoff(0), backoff(7); later < 10*first {
		t.Errorf("the wait grew from %v to %v only", first, later)
	}
}
