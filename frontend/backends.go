package frontend

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/queue"
)

// Limits of counting queues: it may go to the network, and anybody may ask.
const (
	censusEvery     = 2 * time.Second
	censusTimeout   = 2 * time.Second
	maxCensusCounts = 16 // at the same time
)

// backendsJSON answers GET of /v1/backends. Names of machines, and what parts say of
// themselves, are for operators.
func (pg *pages) backendsJSON(r *http.Request) answer {
	return okJSON(pg.survey(r.Context(), pg.guard.isOperator(r)))
}

// survey describes the deployment.
func (pg *pages) survey(ctx context.Context, isOperator bool) api.Overview {
	counts, d := pg.census.take(ctx, pg.backends), pg.deployment(ctx)
	body := api.Overview{Version: pg.version, Backends: make([]api.Backend, len(pg.backends)), Presence: api.PresenceOK}
	for i, b := range pg.backends {
		id := b.id.String()
		body.Backends[i] = api.Backend{
			Service: b.id.Service, Region: b.id.Region, Provider: b.storageLabel,
			Copiers: d.copiers(id), Requests: b.requests.counts(), LastHour: d.lastHour(id), Copies: d.copies(id),
		}
		shown := &body.Backends[i]
		shown.Health, shown.Cause = d.judge(b, counts[i])
		if !isOperator {
			shown.Cause = ""
		}
		if counts[i].health == api.HealthOK {
			c := counts[i].counts
			shown.Queue = &api.QueueCounts{Ready: c.Ready, Delayed: c.Delayed, InFlight: c.InFlight, DeadLetters: c.Dead}
		}
	}
	if !d.isWatched || d.err != nil {
		body.Presence = api.PresenceUnknown
	}
	if isOperator {
		if d.err != nil {
			body.Presence += ": " + cloudmirror.Clause(d.err)
		}
		for _, n := range d.notes {
			body.Processes = append(body.Processes, describeProcess(n))
		}
	}
	return body
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
	err    error // why the queue is unreachable
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
		return censusResult{health: api.HealthUnknown}
	}
	counts, err := q.Count(ctx)
	if err != nil {
		return censusResult{health: api.HealthQueueUnreachable, err: err}
	}
	return censusResult{counts: counts, health: api.HealthOK}
}
