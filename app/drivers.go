package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/kv"
	"cloudmirror/kv/memkv"
	"cloudmirror/kv/rediskv"
	"cloudmirror/monitor"
	"cloudmirror/origin"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// Parts are the drivers of a configuration and what the layers above see of
// them.
type parts struct {
	cache    cache.Store
	records  kv.Store      // what the processes of the deployment share and may lose
	near     engine.Near   // nil: nothing is remembered
	settle   time.Duration // how long others may remember what was purged
	engine   []engine.Backend
	jobs     []copier.Backend // those that this process copies
	counters map[cloudmirror.BackendID]queue.Counter
	letters  map[cloudmirror.BackendID]queue.DeadLetters
	objects  map[cloudmirror.BackendID]http.Handler // file storage, served by the process itself
	origin   *origin.Client
	queues   *queueMetrics
	monitor  *monitor.Monitor // of what front ends redirect to; watches nothing in a copier

	dependencies []dependency
	background   []func(context.Context)
	closers      []func() error
}

// close closes the drivers, the newest first.
func (p *parts) close() error {
	var errs []error
	for _, closePart := range slices.Backward(p.closers) {
		errs = append(errs, closePart())
	}
	return errors.Join(errs...)
}

func (p *parts) onClose(f func() error) { p.closers = append(p.closers, f) }

func (p *parts) depend(d dependency) { p.dependencies = append(p.dependencies, d) }

func (a *App) newParts(ctx context.Context) (_ *parts, err error) {
	p := &parts{
		counters: make(map[cloudmirror.BackendID]queue.Counter),
		letters:  make(map[cloudmirror.BackendID]queue.DeadLetters),
		objects:  make(map[cloudmirror.BackendID]http.Handler),
		queues:   newQueueMetrics(a.registry),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.origin, err = a.newOrigin(); err != nil {
		return nil, err
	}
	p.onClose(func() error { p.origin.Close(); return nil })
	if err := a.openCache(p); err != nil { //nolint:contextcheck // the cache listens until it is closed
		return nil, err
	}
	o, err := a.newOpener(ctx)
	if err != nil {
		return nil, err
	}
	for _, service := range a.config.Services {
		for _, b := range service.Backends {
			if a.role == config.RoleCopier && !a.copiesTo(b.ID) {
				continue // its policy does not let it look at others
			}
			if err := a.openBackend(ctx, p, o, service, b); err != nil {
				return nil, fmt.Errorf("backend %s: %w", b.ID, err)
			}
		}
	}
	a.watch(p)
	return p, nil
}

func (a *App) newOrigin() (*origin.Client, error) {
	o, err := originOptions(a.config)
	if err != nil {
		return nil, err
	}
	o.Listeners = a.listeners
	return origin.New(o), nil
}

// originOptions returns how a configuration has origins asked.
func originOptions(c *config.Config) (origin.Options, error) {
	timeouts := c.Origin.Timeouts
	o := origin.Options{
		DeploymentID: c.DeploymentID(), MaxRedirects: c.Origin.MaxRedirects, UserAgent: c.Origin.UserAgent,
		MinBytesPerSecond: c.Origin.MinRateBytes, MinRateOver: c.Origin.MinRateOver,
		ConnectTimeout: timeouts.Connect, TLSTimeout: timeouts.TLS, FirstByteTimeout: timeouts.FirstByte, IdleTimeout: timeouts.Idle,
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = -1 // none
	}
	if o.MinBytesPerSecond == 0 {
		o.MinBytesPerSecond = -1 // none
	}
	if text := c.Origin.Proxy; text != "" {
		proxy, err := url.Parse(text)
		if err != nil { // the key was checked
			return o, errors.New("origin.proxy is no URL")
		}
		o.Proxy = proxy
	}
	return o, nil
}

// watch has a front end watch the addresses of its copies. Files that the process
// serves itself are not among them: who reaches us reaches them.
func (a *App) watch(p *parts) {
	settings := a.config.Health
	storages := make(map[cloudmirror.BackendID]storage.Provider)
	for _, b := range p.engine {
		if a.role != config.RoleCopier && settings.Interval > 0 && p.objects[b.ID] == nil {
			storages[b.ID] = b.Storage
		}
	}
	p.monitor = monitor.New(monitor.Options{
		Storages: storages, Interval: settings.Interval, Timeout: settings.Timeout, Failures: settings.Failures,
		Logger: a.logger, Registerer: a.registry,
	})
	p.background = append(p.background, p.monitor.Run)
	for id := range storages {
		d := backendDependency("copies", id, p.monitor.Backend(id).Check)
		d.live = true
		p.depend(d)
	}
}

func (a *App) openCache(p *parts) error {
	switch a.config.Cache.Type {
	case config.CacheMemory:
		store, err := memcache.New(memcache.Options{})
		p.cache, p.records = store, new(memkv.Store)
		return err
	case config.CacheRedis:
		settings := a.config.Cache.Redis
		options := rediscache.Options{
			URL: settings.URL, Prefix: settings.Prefix, Logger: a.logger, Registerer: a.registry,
		}
		if a.role != config.RoleCopier { // copiers answer no clients
			options.NearBytes, options.NearDelta = settings.Near.MemoryBytes, settings.Near.Delta
		}
		store, err := rediscache.New(options)
		if err != nil {
			return err
		}
		noted := noteCache(store)
		p.cache, p.settle = noted, settings.Near.Delta
		p.records = rediskv.New(store.Client(), settings.Prefix)
		if options.NearBytes > 0 {
			p.near = store
		}
		p.onClose(store.Close)
		p.depend(dependency{name: "cache", kind: "cache", check: noted.Ping, calls: []*calls{&noted.writes}, noted: func() error { return a.board.WriteError() }})
		return nil
	}
	return fmt.Errorf("cache type %q is unknown", a.config.Cache.Type)
}

func (a *App) openBackend(ctx context.Context, p *parts, o *opener, service config.Service, b config.Backend) error {
	counted, err := o.openQueue(p, b)
	if err != nil {
		return err
	}
	opened, err := o.openStorage(ctx, p, b)
	if err != nil {
		return err
	}
	jobs, copies := noteQueue(counted), noteStorage(opened)
	p.depend(backendDependency("queue", b.ID, func(ctx context.Context) error {
		counts, err := counted.Count(ctx)
		p.queues.note(b.ID, counts, err)
		return err
	}, &jobs.sends, &jobs.receives, &jobs.acks))
	p.depend(backendDependency("storage", b.ID, copies.check, &copies.writes, &copies.removals))
	p.counters[b.ID], p.letters[b.ID] = counted, counted
	backend := engine.Backend{
		ID: b.ID, Storage: copies, Queue: jobs, TTL: service.TTL, NegativeTTL: service.NegativeTTL,
	}
	if a.role != config.RoleCopier { // copiers answer no clients
		backend.Recheck = service.Recheck
	}
	p.engine = append(p.engine, backend)
	if a.copiesTo(b.ID) {
		p.jobs = append(p.jobs, copier.Backend{
			ID: b.ID, Queue: jobs, Storage: copies, Rules: rules(service), BandwidthBytes: service.BandwidthBytes,
		})
	}
	return nil
}

// copiesTo reports whether a copier of the configuration works for a backend.
func (a *App) copiesTo(id cloudmirror.BackendID) bool {
	wanted := a.config.Copier.Backends
	return len(wanted) == 0 || slices.Contains(wanted, id)
}

// rules returns what origins of a service are allowed.
func rules(s config.Service) origin.Rules {
	return origin.Rules{
		Allow: s.Allow, Direct: s.Direct, AllowAddresses: s.AllowAddresses, Ports: s.Ports, MaxObjectBytes: s.MaxObjectSizeBytes, Headers: s.Headers,
	}
}
