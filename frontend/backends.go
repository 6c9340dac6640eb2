package frontend

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror"
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
	healthOK          = "ok"
	healthQueueDown   = "queue-unreachable"
	healthCutOff      = "region-unreachable" // clients cannot fetch its copies; the queue may be as it likes
	healthStorageDown = "storage-down"
	healthCacheDown   = "cache-down"
	healthNoCopier    = "no-copier"
	healthUnknown     = "unknown"
)

// overviewBody is a deployment as clients see it.
type overviewBody struct {
	Version   string        `json:"version"`
	Backends  []backendBody `json:"backends"`
	Processes []processBody `json:"processes,omitempty"` // for operators
	Presence  string        `json:"presence"`            // "ok", or why other processes are not known
}

// backendBody is a backend as clients see it.
type backendBody struct {
	Service  string            `json:"service"`
	Region   string            `json:"region"`
	Provider string            `json:"provider"`
	Health   string            `json:"health"`
	Cause    string            `json:"cause,omitempty"` // why it is not ok, for operators
	Copiers  *int              `json:"copiers"`         // processes that copy to it; null: not known
	Queue    *queueBody        `json:"queue"`           // null: not known
	Requests map[string]uint64 `json:"requests"`        // to this process since its start, by outcome
	LastHour map[string]uint64 `json:"last_hour"`       // to all processes that are known, by outcome
	Copies   copiesBody        `json:"copies"`
}

// copiesBody counts the jobs that copiers hold.
type copiesBody struct {
	Running int `json:"running"`
	Waiting int `json:"waiting"` // for the turn of their origin host
}

type queueBody struct {
	Ready    int `json:"ready"`
	Delayed  int `json:"delayed"`
	InFlight int `json:"in_flight"`
	Dead     int `json:"dead_letters"`
}

// backendsJSON answers GET of /v1/backends. Names of machines, and what parts say of
// themselves, are for operators.
func (pg *pages) backendsJSON(r *http.Request) answer {
	return okJSON(pg.survey(r.Context(), pg.guard.isOperator(r)))
}

// survey describes the deployment.
func (pg *pages) survey(ctx context.Context, isOperator bool) overviewBody {
	counts, d := pg.census.take(ctx, pg.backends), pg.deployment(ctx)
	body := overviewBody{Version: pg.version, Backends: make([]backendBody, len(pg.backends)), Presence: "ok"}
	for i, b := range pg.backends {
		id := b.id.String()
		body.Backends[i] = backendBody{
			Service: b.id.Service, Region: b.id.Region, Provider: b.storageLabel,
			Copiers: d.copiers(id), Requests: b.requests.counts(), LastHour: d.lastHour(id), Copies: d.copies(id),
		}
		shown := &body.Backends[i]
		shown.Health, shown.Cause = d.judge(b, counts[i])
		if !isOperator {
			shown.Cause = ""
		}
		if counts[i].health == healthOK {
			c := counts[i].counts
			shown.Queue = &queueBody{Ready: c.Ready, Delayed: c.Delayed, InFlight: c.InFlight, Dead: c.Dead}
		}
	}
	if !d.isWatched || d.err != nil {
		body.Presence = "not known"
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
		return censusResult{health: healthUnknown}
	}
	counts, err := q.Count(ctx)
	if err != nil {
		return censusResult{health: healthQueueDown, err: err}
	}
	return censusResult{counts: counts, health: healthOK}
}
