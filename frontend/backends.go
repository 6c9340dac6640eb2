package frontend

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror/queue"
)

// Limits of counting queues: it may go to the network, and anybody may ask.
const (
	censusEvery     = 2 * time.Second
	censusTimeout   = 2 * time.Second
	maxCensusCounts = 16 // at the same time
)

// Health of a backend, as far as a front end knows it.
const (
	healthOK        = "ok"
	healthQueueDown = "queue-unreachable"
	healthCutOff    = "region-unreachable" // clients cannot fetch its copies; the queue may be as it likes
	healthUnknown   = "unknown"
)

// backendBody is a backend as clients see it.
type backendBody struct {
	Service  string            `json:"service"`
	Region   string            `json:"region"`
	Provider string            `json:"provider"`
	Health   string            `json:"health"`
	Queue    *queueBody        `json:"queue"`    // null: not known
	Requests map[string]uint64 `json:"requests"` // to this process since its start, by outcome
}

type queueBody struct {
	Ready    int `json:"ready"`
	Delayed  int `json:"delayed"`
	InFlight int `json:"in_flight"`
	Dead     int `json:"dead_letters"`
}

// backendsJSON answers GET of /v1/backends.
func (f *Frontend) backendsJSON(r *http.Request) answer {
	return okJSON(map[string]any{"backends": f.survey(r.Context())})
}

// survey describes all backends.
func (f *Frontend) survey(ctx context.Context) []backendBody {
	counts := f.census.take(ctx, f.backends)
	bodies := make([]backendBody, len(f.backends))
	for i, b := range f.backends {
		bodies[i] = backendBody{
			Service: b.id.Service, Region: b.id.Region, Provider: b.provider,
			Health: counts[i].health, Requests: make(map[string]uint64, outcomes),
		}
		if counts[i].health == healthOK {
			c := counts[i].counts
			bodies[i].Queue = &queueBody{Ready: c.Ready, Delayed: c.Delayed, InFlight: c.InFlight, Dead: c.Dead}
		}
		if !b.isReachable() {
			bodies[i].Health = healthCutOff
		}
		for o := range outcomes {
			bodies[i].Requests[o.String()] = b.requests[o].Load()
		}
	}
	return bodies
}

// census counts the messages of all queues, at most once in a while.
type census struct {
	mu      sync.Mutex
	taken   time.Time
	results []censusResult // never changed once made
}

type censusResult struct {
	counts queue.Counts
	health string
}

// take returns a result for each backend. Who comes while it is being taken
// waits for it.
func (c *census) take(ctx context.Context, backends []*backend) []censusResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results != nil && time.Since(c.taken) < censusEvery {
		return c.results
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), censusTimeout)
	defer cancel()
	results := make([]censusResult, len(backends))
	var counts errgroup.Group
	counts.SetLimit(maxCensusCounts)
	for i, b := range backends {
		counts.Go(func() error { results[i] = count(ctx, b.queue); return nil })
	}
	_ = counts.Wait() // none returns an error
	c.results, c.taken = results, time.Now()
	return results
}

func count(ctx context.Context, q queue.Counter) censusResult {
	if q == nil {
		return censusResult{health: healthUnknown}
	}
	counts, err := q.Count(ctx)
	if err != nil {
		return censusResult{health: healthQueueDown}
	}
	return censusResult{counts: counts, health: healthOK}
}
