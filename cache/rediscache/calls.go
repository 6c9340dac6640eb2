package rediscache

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// answerTimeout bounds a call as the connection sees it. A caller that is less
// patient leaves, but the connection lives on if the answer still comes: to make
// another one for each late answer would keep a busy machine busier.
const answerTimeout = 5 * time.Second

// patienceParts is in how many parts a caller's patience is waited for.
const patienceParts = 20

// errNoAnswer says that Redis was waited for in vain. It is a deadline's error.
var errNoAnswer = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// await waits until done is closed, for as long as ctx and the patience last.
//
// The patience is waited for in parts, one after the other, and a part only
// begins when the process gets to run it. Where the process has to wait for a
// processor, and with it every answer that has arrived, so do the parts: what is
// bounded is how slow Redis is, not how busy this process is.
func await(ctx context.Context, done <-chan struct{}, patience time.Duration) error {
	part := patience / patienceParts
	timer := time.NewTimer(part)
	defer timer.Stop()
	for range patienceParts {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		runtime.Gosched() // timers go before what else is ready to run
		select {
		case <-done: // of two channels that are ready, a select takes any
			return nil
		default:
			timer.Reset(part)
		}
	}
	return errNoAnswer
}

// calls are the calls of a Store that are under way, each in a goroutine of its
// own: connections know deadlines only, and those come on time also where the
// process does not.
type calls struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// begin makes a call. It reports false if there are to be no more.
func (c *calls) begin(call func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Go(call)
	return true
}

// close waits for the calls that run, and lets no more begin.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}
