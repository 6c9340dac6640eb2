package rediscache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cloudmirror"
)

const (
	// lookInterval is how often the nodes of a Cluster are listed anew. A node
	// that is in trouble has them listed at once.
	lookInterval = 5 * time.Second
	// lookTimeout bounds one listing.
	lookTimeout = 5 * time.Second

	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

var errStarting = errors.New("rediscache: not listening yet")

// A listener has a tracker for each node and follows the nodes as they change.
type listener struct {
	store          *Store
	nodes          nodesFunc
	id             string // of this process, in the names of its canaries
	canaryInterval time.Duration
	logger         *zap.Logger
	canary         *redis.Script
	interruptions  prometheus.Counter

	look   chan struct{} // asks for the nodes to be listed now
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	errs    map[string]error     // by node: nil while its changes are heard
	err     error                // of listing the nodes, or the sum of errs
	proofs  map[string]time.Time // by node: all changes made before then have been heard
	readers map[string]*gatherer // by node, whose changes are heard
}

func newListener(s *Store, nodes nodesFunc, o Options) *listener {
	return &listener{
		store: s, nodes: nodes, id: cloudmirror.NewID(), canaryInterval: o.CanaryInterval, logger: o.Logger,
		canary: redis.NewScript(canarySource), look: make(chan struct{}, 1), errs: make(map[string]error), err: errStarting,
		proofs: make(map[string]time.Time), readers: make(map[string]*gatherer),
		interruptions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cloudmirror_cache_watch_interruptions_total",
			Help: "How often a connection that tells of the cache's changes was lost or could not be made.",
		}),
	}
}

// register adds the metrics.
func (l *listener) register(registerer prometheus.Registerer) error {
	watching := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudmirror_cache_watching",
		Help: "1 while changes of the cache wake waiting clients, 0 while those poll.",
	}, func() float64 {
		if l.status() != nil {
			return 0
		}
		return 1
	})
	if err := registerer.Register(watching); err != nil {
		return err
	}
	return registerer.Register(l.interruptions)
}

func (l *listener) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() { l.run(ctx) })
}

// stop ends all goroutines and waits for them. It may be called twice.
func (l *listener) stop() {
	l.cancel()
	l.done.Wait()
}

// A running tracker, and the node that it was started for.
type running struct {
	node
	cancel context.CancelFunc
}

// run keeps one tracker for each node until ctx ends.
func (l *listener) run(ctx context.Context) {
	trackers := make(map[string]running)
	var tracking sync.WaitGroup
	defer tracking.Wait()
	for failures := 0; ; {
		nodes, err := l.list(ctx)
		if err != nil {
			failures++
			l.report("", err)
		} else {
			failures = 0
			l.keep(nodes, trackers)
			for _, n := range nodes {
				if _, ok := trackers[n.name]; !ok {
					ctx, cancel := context.WithCancel(ctx)
					trackers[n.name] = running{node: n, cancel: cancel}
					tracking.Go(func() { newTracker(l, n).run(ctx) })
				}
			}
		}
		wait, look := lookInterval, l.look
		if failures > 0 {
			wait, look = backoff(failures), nil
		}
		if !pause(ctx, wait, look) {
			for _, t := range trackers {
				t.cancel()
			}
			return
		}
	}
}

func (l *listener) list(ctx context.Context) ([]node, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return l.nodes(ctx)
}

// keep stops the trackers of nodes that are gone or whose slots moved.
func (l *listener) keep(nodes []node, trackers map[string]running) {
	tags := make(map[string]string, len(nodes))
	for _, n := range nodes {
		tags[n.name] = n.tag
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, t := range trackers {
		if tag, ok := tags[name]; !ok || tag != t.tag {
			t.cancel()
			delete(trackers, name)
			delete(l.errs, name)
			delete(l.proofs, name)
		}
	}
	for _, n := range nodes {
		if _, ok := l.errs[n.name]; !ok {
			l.errs[n.name] = errStarting
		}
	}
	l.proveAll()
}

// prove notes that all changes of a node made before a time have been heard.
func (l *listener) prove(name string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.errs[name]; ok {
		l.proofs[name] = at
		l.proveAll()
	}
}

// proveAll tells what is kept in memory up to when the changes of all nodes have
// been heard. One node without a proof is enough for nothing to be trusted: keys
// move from node to node. The caller holds the lock.
func (l *listener) proveAll() {
	if l.store.near == nil {
		return
	}
	var oldest time.Time
	for name := range l.errs {
		at, ok := l.proofs[name]
		if !ok {
			oldest = time.Time{}
			break
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	l.store.near.prove(oldest)
}

// reader returns what reads from a node that which is to be kept in memory; nil
// while there is none.
func (l *listener) reader(name string) *gatherer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readers[name]
}

func (l *listener) setReader(name string, r *gatherer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers[name] = r
}

// dropReader forgets a reader, unless there is another already.
func (l *listener) dropReader(name string, r *gatherer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers[name] == r {
		delete(l.readers, name)
	}
}

// report notes whether a node's changes are heard (nil) or why not; without a
// name, why the nodes could not be listed. It logs what is new.
func (l *listener) report(name string, err error) {
	l.mu.Lock()
	before := l.err
	if name == "" {
		l.err = err
	} else if _, ok := l.errs[name]; ok {
		l.errs[name] = err
		if err != nil {
			delete(l.proofs, name)
			l.proveAll()
		}
		l.err = nil
		for _, e := range l.errs {
			l.err = errors.Join(l.err, e)
		}
	}
	after := l.err
	l.mu.Unlock()

	if err != nil {
		l.interruptions.Inc()
		select {
		case l.look <- struct{}{}:
		default:
		}
	}
	switch {
	case before != nil && after == nil:
		l.logger.Info("changes in the cache are heard: they wake waiting clients at once")
	case after != nil && (before == nil || errors.Is(before, errStarting) && !errors.Is(after, errStarting)):
		l.logger.Warn("changes in the cache are not heard; waiting clients poll for them", zap.Error(after))
	}
}

func (l *listener) status() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// backoff returns how long to wait after so many failures in a row: twice as
// long each time, half of it random.
func backoff(failures int) time.Duration {
	full := lastBackoff
	if failures < 8 {
		full = min(firstBackoff<<failures, lastBackoff)
	}
	return full/2 + rand.N(full/2)
}

// pause waits for d, or until a value comes, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}
