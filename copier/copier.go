package copier

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// maxReceive is how many messages are asked for at once (SQS allows 10).
const maxReceive = 10

// gatherTime is how long a copier with slots for a few messages waits for slots for
// as many as can be asked for at once, so that small copies do not cost a request
// each.
const gatherTime = 20 * time.Millisecond

// A Backend is what the copier knows of one backend.
type Backend struct {
	ID      cloudmirror.BackendID
	Queue   queue.Queue
	Storage storage.Provider
	Rules   origin.Rules // of the backend's service

	// BandwidthBytes is how many bytes a second are read from origins, by all
	// copies of the backend's service together. 0: as many as come.
	BandwidthBytes int64
}

// fetcher is what the copier needs of the origin client.
type fetcher interface {
	Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error)
}

// pinger is what the copier needs of the cache beside the engine.
type pinger interface {
	Ping(ctx context.Context) error
}

// Options are what a Copier is made of.
type Options struct {
	Engine     *engine.Engine
	Cache      pinger
	Origin     fetcher
	Backends   []Backend
	Logger     *zap.Logger
	Registerer prometheus.Registerer

	Limits      Limits        // towards origins
	Concurrency int           // copies at a time, in all backends together, beside slow ones; at least 1
	Connections int           // over which one copy reads a large object at once; 0 or 1: never several
	Visibility  time.Duration // how long a received message is hidden; the queue's own
	Grace       time.Duration // how long running copies may go on at a stop before they are handed back
}

// A Copier works on the jobs of its backends.
type Copier struct {
	engine   *engine.Engine
	origin   fetcher
	backends []*backend
	cache    dependency
	hosts    *hosts
	logger   *zap.Logger
	metrics  *metrics

	slots       *slots
	held        held
	connections int
	visibility  time.Duration
	grace       time.Duration
}

type backend struct {
	Backend
	storage   dependency
	bandwidth *rate.Limiter // of the service; nil: not limited
}

// New returns a Copier; Run starts it.
func New(o Options) *Copier {
	c := &Copier{
		engine:      o.Engine,
		origin:      o.Origin,
		cache:       dependency{probe: o.Cache.Ping},
		hosts:       newHosts(o.Limits, o.Logger, backgroundSlots(o.Concurrency)),
		logger:      o.Logger,
		connections: o.Connections,
		visibility:  o.Visibility,
		grace:       o.Grace,
	}
	c.slots = newSlots(o.Concurrency, o.Connections, c.hosts.background)
	c.metrics = newMetrics(o.Registerer, c.hosts, c.slots)
	bandwidths := make(map[string]*rate.Limiter)
	for _, b := range o.Backends {
		if _, found := bandwidths[b.ID.Service]; !found {
			bandwidths[b.ID.Service] = newBandwidth(b.BandwidthBytes)
		}
		probe := func(ctx context.Context) error { return storage.Probe(ctx, b.Storage) }
		c.metrics.expect(b.ID)
		c.backends = append(c.backends, &backend{Backend: b, storage: dependency{probe: probe}, bandwidth: bandwidths[b.ID.Service]})
	}
	return c
}

// Run works until ctx ends. Then it receives no more, gives running copies the
// grace period to finish, hands back what is left, and returns when nothing of
// it runs any more.
func (c *Copier) Run(ctx context.Context) {
	// Copies do not end with ctx, but with the grace period after it.
	work, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	var receivers, tasks sync.WaitGroup
	for _, b := range c.backends {
		receivers.Go(func() { c.receive(ctx, work, b, &tasks) })
	}
	receivers.Wait() // until ctx ends
	grace := time.AfterFunc(c.grace, func() { abort(errStopping) })
	defer grace.Stop()
	tasks.Wait()
}

// errStopping is the cause by which copies end when the grace period is over.
var errStopping = errors.New("copier: stopping")

// receive takes messages of one backend while there are slots to work on them.
func (c *Copier) receive(ctx, work context.Context, b *backend, tasks *sync.WaitGroup) {
	logger := c.logger.With(zap.Stringer("backend", b.ID))
	for failures := 0; ctx.Err() == nil; {
		if !c.cache.awaitUp(ctx, logger, "cache") || !b.storage.awaitUp(ctx, logger, "storage") || !c.slots.await(ctx) {
			return
		}
		deliveries, err := b.Queue.Receive(ctx, c.slots.gather(ctx))
		var undecided sync.WaitGroup // the tasks that may still take a slot
		undecided.Add(len(deliveries))
		for _, d := range deliveries {
			tasks.Go(func() { c.handle(ctx, work, b, d, sync.OnceFunc(undecided.Done)) })
		}
		undecided.Wait() // what is received next should find slots as well
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			failures++
			logger.Warn("jobs cannot be received from the queue; trying again", zap.Error(err), zap.Int("failures", failures))
			pause(ctx, backOff(failures))
		}
	}
}

// backOff returns how long to wait after that number of failures in a row: up to 30 s,
// cut by up to a half at random.
func backOff(failures int) time.Duration {
	delay := min(250*time.Millisecond<<min(failures-1, 10), 30*time.Second)
	return delay - rand.N(delay/2) //nolint:gosec // jitter needs no secrecy
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
