package frontend

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/presence"
	"cloudmirror/storage"
)

// logEvery is the shortest time between two lines of the log that say that the cache, a
// queue or a storage is unavailable, and between two about wrong tokens. At the debug
// level each request says so.
const logEvery = 10 * time.Second

// copies is what the front end needs of a *engine.Engine.
type copies interface {
	Peek(ctx context.Context, o cloudmirror.Object, backends []cloudmirror.BackendID) []engine.Peeked
	Wait(ctx context.Context, w engine.Want, p engine.Patience) (engine.View, error)
	Purge(ctx context.Context, w engine.Want, also ...cloudmirror.Generation) (found bool, err error)
	Link(ctx context.Context, w engine.Want, g cloudmirror.Generation, method string) (storage.Link, error)
}

var _ copies = (*engine.Engine)(nil)

// peekOne returns what is known of the copy in one backend.
func peekOne(ctx context.Context, c copies, w engine.Want) (engine.View, error) {
	peeked := c.Peek(ctx, w.Object, []cloudmirror.BackendID{w.Backend})
	return peeked[0].View, peeked[0].Err
}

// notes is what the front end needs of a *presence.Board.
type notes interface {
	// Notes returns what the processes of the deployment say of themselves, this one
	// first. The error says why the others are not known.
	Notes(ctx context.Context) ([]presence.Note, error)
}

// A core is what redirects, administration and pages share.
type core struct {
	engine   copies
	services map[string]*service
	backends []*backend // by name
	guard    *guard
	proxies  proxies
	metrics  *metrics
	header   fixedHeader

	// addressEpoch is raised when copies get other addresses: those that are remembered
	// of earlier epochs count no more.
	addressEpoch atomic.Uint64

	publicURL string
	presence  notes // nil: there is none
	census    census

	logger  *zap.Logger
	outages rate.Sometimes // of what is logged about parts that are down

	draining context.Context // ends with drain
	drain    context.CancelFunc
}

// newCore returns a core; waiters are the requests that wait for copies.
func newCore(o Options, waiters *atomic.Int64) (*core, error) {
	c := &core{
		engine: o.Engine, proxies: o.TrustedProxies, header: newFixedHeader(), publicURL: o.PublicURL, presence: o.Presence,
		logger: o.Logger, outages: rate.Sometimes{Interval: logEvery},
	}
	var err error
	if c.services, c.backends, err = newServices(o.Services); err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	for id := range o.Objects {
		if c.backend(id) == nil {
			return nil, fmt.Errorf("frontend: objects are served for %s, which is no backend", id)
		}
	}
	if c.metrics, err = newMetrics(o.Registerer, c.backends, waiters); err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	c.guard = &guard{metrics: c.metrics, proxies: c.proxies, auditLog: o.Audit, warnings: rate.Sometimes{Interval: logEvery}}
	c.guard.tokens.Store(&o.Tokens)
	c.draining, c.drain = context.WithCancel(context.Background())
	return c, nil
}

// backend returns a backend, or nil.
func (c *core) backend(id cloudmirror.BackendID) *backend {
	if s := c.services[id.Service]; s != nil {
		return s.backends[id.Region]
	}
	return nil
}

// deployment asks what the processes say of themselves.
func (c *core) deployment(ctx context.Context) deployment {
	if c.presence == nil {
		return deployment{}
	}
	d := deployment{isWatched: true}
	d.notes, d.err = c.presence.Notes(ctx)
	return d
}

// logUnavailable logs, at most once in logEvery, that the cache, a queue or a storage is
// unavailable.
func (c *core) logUnavailable(id cloudmirror.BackendID, err error) {
	c.outages.Do(func() {
		c.logger.Warn("the cache, a queue or a storage is unavailable; clients get their fallback", zap.Stringer("backend", id), zap.Error(err))
	})
}

// answering makes a handler of what decides an answer.
func (c *core) answering(decide func(*http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { c.write(w, r, decide(r)) }
}
