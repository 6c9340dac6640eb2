package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is the far side of a batcher: each request takes latency.
type recorder struct {
	latency time.Duration
	err     error // of every request

	mu       sync.Mutex
	requests []string // the items of each, joined
	inFlight int
	most     int
}

func (r *recorder) request(ctx context.Context, items []string, errs []error) error {
	r.mu.Lock()
	r.requests = append(r.requests, strings.Join(items, " "))
	r.inFlight++
	r.most = max(r.most, r.inFlight)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.inFlight--
		r.mu.Unlock()
	}()
	select {
	case <-time.After(r.latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, item := range items {
		if strings.HasPrefix(item, "bad") {
			errs[i] = errors.New(item)
		}
	}
	return r.err
}

// batching runs f in a bubble, with a batcher whose requests take latency.
func batching(t *testing.T, latency time.Duration, f func(t *testing.T, b *batcher[string], r *recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{latency: latency}
		b := newBatcher(r.request, func(s string) int { return len(s) }, sendGatherTime)
		f(t, b, r)
		b.close()
	})
}

// calls makes calls and returns, once they have begun, a function that waits
// for their ends and returns their errors.
func calls(b *batcher[string], items ...string) (wait func() []error) {
	errs := make([]error, len(items))
	var all sync.WaitGroup
	for i, item := range items {
		all.Go(func() { errs[i] = b.do(context.Background(), item) })
		synctest.Wait() // in order
	}
	return func() []error {
		all.Wait()
		return errs
	}
}

func numbered(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprint(i)
	}
	return items
}

func want(t *testing.T, r *recorder, requests ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.requests, requests) {
		t.Errorf("the requests are %q, want %q", r.requests, requests)
	}
}

func TestACallGoesOutAtOnceWhenIdle(t *testing.T) {
	batching(t, time.Second, func(t *testing.T, b *batcher[string], r *recorder) {
		start := time.Now()
		calls(b, "a")()
		calls(b, "b")()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("two calls after each other took %v, want nothing beside their requests of 1s", took)
		}
		want(t, r, "a", "b")
	})
}

func TestCallsGatherWhileARequestIsInFlight(t *testing.T) {
	batching(t, sendGatherTime/2, func(t *testing.T, b *batcher[string], r *recorder) {
		calls(b, "a", "b", "c", "d")()
		want(t, r, "a", "b c d")
	})
}

// A crowd of calls, one each 2 ms, goes in full batches, however quickly requests
// are answered.
func TestBatchesOfACrowdAreFull(t *testing.T) {
	batching(t, time.Millisecond, func(t *testing.T, b *batcher[string], r *recorder) {
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				time.Sleep(time.Duration(i/2) * 2 * time.Millisecond)
				if err := b.do(t.Context(), "x"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(r.requests); n > 80 { // how many first calls go alone is chance
			t.Errorf("500 calls took %d requests, want not many more than 50", n)
		}
	})
}

func TestAfterACrowdACallGoesOutAtOnce(t *testing.T) {
	batching(t, time.Millisecond, func(t *testing.T, b *batcher[string], _ *recorder) {
		calls(b, numbered(25)...)()
		time.Sleep(sendGatherTime)
		start := time.Now()
		calls(b, "a")()
		if took := time.Since(start); took != time.Millisecond {
			t.Errorf("it took %v, want the 1ms of its request", took)
		}
	})
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	batching(t, sendGatherTime/2, func(t *testing.T, b *batcher[string], r *recorder) {
		wait := calls(b, numbered(13)...)
		want(t, r, "0", "1 2 3 4 5 6 7 8 9 10")
		wait()
		want(t, r, "0", "1 2 3 4 5 6 7 8 9 10", "11 12")
	})
}

func TestCallsWaitForASlowRequestNoLongerThanGatherTime(t *testing.T) {
	batching(t, time.Second, func(t *testing.T, b *batcher[string], r *recorder) {
		start := time.Now()
		calls(b, "slow", "b", "c")()
		if took := time.Since(start); took != time.Second+sendGatherTime {
			t.Errorf("the calls took %v, want %v", took, time.Second+sendGatherTime)
		}
		want(t, r, "slow", "b c")
	})
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	batching(t, time.Second, func(t *testing.T, b *batcher[string], r *recorder) {
		calls(b, numbered(300)...)()
		if r.most != maxInFlight {
			t.Errorf("up to %d requests were in flight, want %d", r.most, maxInFlight)
		}
	})
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	third := strings.Repeat("x", MaxBatchBytes/3)
	batching(t, sendGatherTime/2, func(t *testing.T, b *batcher[string], r *recorder) {
		calls(b, "a", third, third, third, third+third+third+third, "z")()
		for _, request := range r.requests {
			if bytes := len(strings.ReplaceAll(request, " ", "")); bytes > MaxBatchBytes && strings.Contains(request, " ") {
				t.Errorf("a batch has %d bytes, at most %d are allowed", bytes, MaxBatchBytes)
			}
		}
		if len(r.requests) != 4 {
			t.Errorf("%d requests, want the first, three thirds, the giant alone, the last", len(r.requests))
		}
	})
}

func TestEachCallerGetsItsOwnError(t *testing.T) {
	batching(t, sendGatherTime/2, func(t *testing.T, b *batcher[string], r *recorder) {
		errs := calls(b, "a", "bad1", "b", "bad2")()
		want(t, r, "a", "bad1 b bad2")
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("the good items have the errors %v and %v", errs[0], errs[2])
		}
		if errs[1] == nil || errs[1].Error() != "bad1" || errs[3] == nil || errs[3].Error() != "bad2" {
			t.Errorf("the bad items have the errors %v and %v", errs[1], errs[3])
		}
		r.err = errors.New("refused")
		for i, err := range calls(b, "a", "b", "c")() {
			if !errors.Is(err, r.err) {
				t.Errorf("call %d of a refused request has the error %v", i, err)
			}
		}
	})
}

func TestTheEndOfACallersContextEndsItsWaitAlone(t *testing.T) {
	batching(t, sendGatherTime/2, func(t *testing.T, b *batcher[string], r *recorder) {
		ctx, leave := context.WithCancel(t.Context())
		var leavers sync.WaitGroup
		leaver := func(item string) {
			leavers.Go(func() {
				if err := b.do(ctx, item); !errors.Is(err, context.Canceled) {
					t.Errorf("%s has the error %v, want context.Canceled", item, err)
				}
			})
			synctest.Wait()
		}
		leaver("in flight")
		leaver("waiting")
		wait := calls(b, "stays")
		leave()
		leavers.Wait()
		if err := wait()[0]; err != nil {
			t.Errorf("the call that stayed has the error %v", err)
		}
		want(t, r, "in flight", "stays")
		if err := b.do(ctx, "late"); !errors.Is(err, context.Canceled) {
			t.Errorf("a call with an ended context has the error %v", err)
		}
	})
}

func TestARequestThatHangsEnds(t *testing.T) {
	batching(t, time.Hour, func(t *testing.T, b *batcher[string], _ *recorder) {
		start := time.Now()
		if err := calls(b, "a")()[0]; !errors.Is(err, errNoAnswer) {
			t.Errorf("the error is %v, want errNoAnswer", err)
		}
		if took := time.Since(start); took != RequestTimeout {
			t.Errorf("it took %v, want %v", took, RequestTimeout)
		}
	})
}

func TestCloseEndsWhatNobodyWaitsFor(t *testing.T) {
	batching(t, time.Hour, func(t *testing.T, b *batcher[string], _ *recorder) {
		start := time.Now()
		wait := calls(b, "in flight", "waiting")
		b.close()
		errs := wait()
		if !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], ErrClosed) {
			t.Errorf("the errors are %v", errs)
		}
		if err := b.do(t.Context(), "late"); !errors.Is(err, ErrClosed) {
			t.Errorf("a call after the end has the error %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}
