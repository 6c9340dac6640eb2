package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"cloudmirror"
	"cloudmirror/engine"
	"cloudmirror/jobs"
	"cloudmirror/kv"
	"cloudmirror/storage"
)

// DefaultMaxWaiters is the bound of waiting requests if Options name none.
const DefaultMaxWaiters = 20_000

// logEvery is how often, at most, the front end logs that cache, queue or storage
// is unavailable, or that a token was wrong. At the debug level each request says so.
const logEvery = 10 * time.Second

// copies is what the front end needs of a *engine.Engine.
type copies interface {
	Peek(ctx context.Context, w engine.Want) (engine.View, error)
	Wait(ctx context.Context, w engine.Want, p engine.Patience) (engine.View, error)
	Purge(ctx context.Context, w engine.Want, also ...cloudmirror.Generation) (found bool, err error)
	Link(ctx context.Context, w engine.Want, g cloudmirror.Generation, method string) (storage.Link, error)
}

var _ copies = (*engine.Engine)(nil)

// Options are what a Frontend is made of. Only Engine and Services are required.
type Options struct {
	Engine   copies // a *engine.Engine that has each backend of Services
	Services map[string]Service

	// Tokens let their bearers change state, until SetTokens replaces them. Empty:
	// such requests are refused.
	Tokens []cloudmirror.Token

	PublicURL    string // base of the addresses of jobs; empty: they are relative
	DeploymentID string // our pseudonym in CDN-Loop (RFC 8586), a token; empty: loops are not detected
	Version      string // for people

	MaxWaiters          int            // requests that wait for copies at the same time; 0: DefaultMaxWaiters
	MaxWaitersPerClient int            // those of one IPv4 address or IPv6 network of 64 bits; 0: not bounded
	TrustedProxies      []netip.Prefix // whose X-Forwarded-For is believed

	// Presence tells of the processes of the deployment: a *presence.Board. Nil:
	// nothing is known of them.
	Presence notes

	// Handlers of /healthz, /readyz and /metrics. Nil: the path is unknown.
	Health, Ready, Metrics http.Handler

	// Objects serve the copies that this process keeps itself: each handles
	// /objects/<service>/<region>/ and sees the path behind the region, with its
	// slash.
	Objects map[cloudmirror.BackendID]http.Handler

	// Records are where all front ends find the background jobs of each. Nil: each
	// knows its own.
	Records kv.Store

	Registerer prometheus.Registerer // nil: metrics are not exported
	Logger     *zap.Logger           // nil: no logs
	// Audit logs what operators do and which tokens are wrong; its level should let
	// all of it through. Nil: Logger does.
	Audit *zap.Logger
}

// A Frontend answers HTTP requests. It is safe for concurrent use.
type Frontend struct {
	engine       copies
	presence     notes // nil: there is none
	services     map[string]*service
	known        *lru.Cache[knownKey, *known]
	backends     []*backend // by name
	tokens       atomic.Pointer[[]cloudmirror.Token]
	publicURL    string
	deploymentID string
	version      string
	started      time.Time
	logger       *zap.Logger
	complaints   rate.Sometimes

	auditLog    *zap.Logger
	suspicions  rate.Sometimes
	wrongTokens atomic.Int64 // not logged yet

	routes  []route
	echo    *echo.Echo
	objects map[cloudmirror.BackendID]http.Handler
	header  fixedHeader
	ids     requestIDs
	metrics *metrics
	census  census
	jobs    *jobs.Jobs
	page    *page

	proxies proxies
	waiters *waitingRoom

	draining context.Context // ends with Drain
	drain    context.CancelFunc
}

// New returns a Frontend. Close it when done.
func New(o Options) (*Frontend, error) {
	if o.Engine == nil {
		return nil, errors.New("frontend: an engine is required")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Audit == nil {
		o.Audit = o.Logger
	}
	if o.MaxWaiters <= 0 {
		o.MaxWaiters = DefaultMaxWaiters
	}
	f := &Frontend{
		engine: o.Engine, presence: o.Presence, known: newKnownTargets(), publicURL: o.PublicURL, deploymentID: o.DeploymentID, version: o.Version,
		started: time.Now(), logger: o.Logger, auditLog: o.Audit, complaints: rate.Sometimes{Interval: logEvery}, suspicions: rate.Sometimes{Interval: logEvery},
		objects: o.Objects, header: newFixedHeader(), ids: newRequestIDs(),
		proxies: o.TrustedProxies, waiters: newWaitingRoom(o.MaxWaiters, o.MaxWaitersPerClient, o.TrustedProxies),
	}
	f.SetTokens(o.Tokens)
	if strings.ContainsAny(o.DeploymentID, " \t,;\"") {
		return nil, fmt.Errorf("frontend: the deployment id %q is no token", o.DeploymentID)
	}
	var err error
	if f.services, f.backends, err = newServices(o.Services); err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	for id := range o.Objects {
		if f.backend(id) == nil {
			return nil, fmt.Errorf("frontend: objects are served for %s, which is no backend", id)
		}
	}
	if f.page, err = newPage(); err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	if f.metrics, err = newMetrics(o.Registerer, f.backends, &f.waiters.taken); err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	f.draining, f.drain = context.WithCancel(context.Background())
	f.jobs = jobs.New(jobs.Options{Engine: f.engine, Store: o.Records, Logger: f.logger})
	f.routes = f.table(o)
	f.echo = f.newRouter()
	return f, nil
}

// Handler returns the handler of all requests.
func (f *Frontend) Handler() http.Handler { return http.HandlerFunc(f.serve) }

// Drain answers those who wait for copies with the fallback, now and from now
// on. Everything else is answered as before.
func (f *Frontend) Drain() { f.drain() }

// Close drains, ends the background jobs and waits until they are gone. The
// caller stops serving requests first.
func (f *Frontend) Close() {
	f.drain()
	f.jobs.Close()
}

// backend returns a backend, or nil.
func (f *Frontend) backend(id cloudmirror.BackendID) *backend {
	if s := f.services[id.Service]; s != nil {
		return s.backends[id.Region]
	}
	return nil
}
