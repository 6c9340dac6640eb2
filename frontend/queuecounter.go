package frontend

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror/api"
	"cloudmirror/queue"
)

// Limits of counting queues: it may go to the network, and any client may ask.
const (
	queueCountEvery   = 2 * time.Second
	queueCountTimeout = 2 * time.Second
	maxQueueCounts    = 16 // at the same time
)

// A queueCounter counts the messages of all queues, at most once in queueCountEvery. It is
// safe for concurrent use.
type queueCounter struct {
	mu      sync.Mutex
	counted time.Time
	counts  []queueCount // never changed once made
}

// A queueCount is how many messages the queue of a backend has.
type queueCount struct {
	counts queue.Counts
	health string
	err    error // why the queue is unreachable
}

// count returns a count for each backend. A caller that comes while they are counted
// waits for the result.
func (q *queueCounter) count(ctx context.Context, backends []*backend) []queueCount {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.counts != nil && time.Since(q.counted) < queueCountEvery {
		return q.counts
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueCountTimeout)
	defer cancel()
	counts := make([]queueCount, len(backends))
	var running errgroup.Group
	running.SetLimit(maxQueueCounts)
	for i, b := range backends {
		running.Go(func() error { counts[i] = countQueue(ctx, b.queue); return nil })
	}
	_ = running.Wait() // none returns an error
	q.counts, q.counted = counts, time.Now()
	return counts
}

func countQueue(ctx context.Context, q queue.Counter) queueCount {
	if q == nil {
		return queueCount{health: api.HealthUnknown}
	}
	counts, err := q.Count(ctx)
	if err != nil {
		return queueCount{health: api.HealthQueueUnreachable, err: err}
	}
	return queueCount{counts: counts, health: api.HealthOK}
}
