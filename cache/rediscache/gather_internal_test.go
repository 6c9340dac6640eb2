package rediscache

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// A frozen server answers nothing until it thaws, and then with an error.
type frozen struct {
	thaw  chan struct{}
	asked atomic.Int32 // requests
}

func (f *frozen) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, f.wait() }
}

func (f *frozen) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { return f.wait() }
}

func (f *frozen) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return f.wait() }
}

func (f *frozen) wait() error {
	f.asked.Add(1)
	<-f.thaw
	return errors.New("frozen for the test")
}

// A read that waits for others ends when its time is over, whatever becomes of
// them.
func TestReadsThatWaitForOthersEndInTime(t *testing.T) {
	const timeout = 250 * time.Millisecond
	for phrase, test := range map[string]struct{ patience, want time.Duration }{
		"after the timeout":               {time.Hour, timeout},
		"when the caller does not wait":   {time.Millisecond, time.Millisecond},
		"when the caller has left before": {0, 0},
	} {
		t.Run(phrase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &frozen{thaw: make(chan struct{})}
				client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:9"})
				defer client.Close()
				client.AddHook(server)
				var under calls
				g := newGatherer(client, &under, timeout)
				var others sync.WaitGroup
				for range g.limit {
					others.Go(func() { _, _ = g.get(t.Context(), "other") })
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), test.patience)
				defer cancel()
				asked := time.Now()
				_, err := g.get(ctx, "key")
				if took := time.Since(asked); !errors.Is(err, context.DeadlineExceeded) || took != test.want {
					t.Errorf("error %v after %v, want one after %v", err, took, test.want)
				}
				others.Wait()
				close(server.thaw)
				under.close()
				// Places are free from the timeout on: nothing is sent for who has left.
				if n := int(server.asked.Load()); test.want < timeout && n != g.limit {
					t.Errorf("%d requests were sent, want %d", n, g.limit)
				}
			})
		})
	}
}

// Requests whose callers lost patience hold up no others, since they may be on
// connections that are dead.
func TestALateRequestHoldsUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 250 * time.Millisecond
		server := &frozen{thaw: make(chan struct{})}
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:9"})
		defer client.Close()
		client.AddHook(server)
		var under calls
		g := newGatherer(client, &under, timeout)
		for round := range 3 {
			var reads sync.WaitGroup
			for range 2 * g.limit {
				reads.Go(func() { _, _ = g.get(t.Context(), "key") })
			}
			synctest.Wait()
			if n := int(server.asked.Load()); n != (round+1)*g.limit {
				t.Errorf("round %d: %d requests are under way, want %d", round, n, (round+1)*g.limit)
			}
			reads.Wait()
		}
		close(server.thaw)
		under.close()
	})
}

// The reads of one caller go in one pipeline, whatever else waits, or not at all.
func TestTheReadsOfACallerGoTogether(t *testing.T) {
	g := newGatherer(nil, new(calls), time.Second)
	for range 100 {
		g.waiting = append(g.waiting, make([]gathered, 1))
	}
	left := make([]gathered, 64)
	left[63].left = true
	g.waiting = append(g.waiting, left, make([]gathered, 64), make([]gathered, 1))
	for i, want := range []int{100, 65} {
		if p := g.take(); p == nil || len(p.reads) != want {
			t.Fatalf("pipeline %d has the reads %+v, want %d", i, p, want)
		}
	}
	if len(g.waiting) != 0 {
		t.Errorf("reads of %d callers wait still", len(g.waiting))
	}
}
