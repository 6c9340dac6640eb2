package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/engine"
	"cloudmirror/kv"
	"cloudmirror/kv/memkv"
	"cloudmirror/kv/rediskv"
	"cloudmirror/monitor"
	"cloudmirror/origin"
	"cloudmirror/storage/s3store"
)

// drivers are what a process opens for its configuration and its capabilities.
type drivers struct {
	*opener
	cache    cache.Store
	records  kv.Store      // what the processes of the deployment share and may lose
	near     engine.Near   // nil: nothing is remembered
	settle   time.Duration // how long others may remember what was purged
	origin   *origin.Client
	backends []*backend // by service and region
	queues   *queueMetrics
	monitor  *monitor.Monitor // of what the front end redirects to

	dependencies []dependency
}

func (d *drivers) addDependency(one dependency) { d.dependencies = append(d.dependencies, one) }

// openDrivers opens the drivers; after an error none is open.
func (a *App) openDrivers(ctx context.Context) (_ *drivers, err error) {
	d := &drivers{queues: newQueueMetrics(a.registry)}
	if d.opener, err = newOpener(ctx, a.config, a.logger); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.buffers, err = s3store.NewBuffers(a.config.Copier.PartSizeBytes, a.config.Copier.MemoryBytes); err != nil {
		return nil, err
	}
	if d.origin, err = a.newOrigin(); err != nil {
		return nil, err
	}
	d.onClose(func() error { d.origin.Close(); return nil })
	if err := a.openCache(d); err != nil { //nolint:contextcheck // the cache listens until it is closed
		return nil, err
	}
	for _, service := range a.config.Services {
		for _, b := range service.Backends {
			if !a.opens(b.ID) {
				continue
			}
			if err := a.openBackend(ctx, d, service, b); err != nil {
				return nil, fmt.Errorf("backend %s: %w", b.ID, err)
			}
		}
	}
	a.watchAddresses(d)
	return d, nil
}

func (a *App) openCache(d *drivers) error {
	switch a.config.Cache.Type {
	case config.CacheMemory:
		store, err := memcache.New(memcache.Options{})
		d.cache, d.records = store, new(memkv.Store)
		return err
	case config.CacheRedis:
		settings := a.config.Cache.Redis
		options := rediscache.Options{
			URL: settings.URL, Prefix: settings.Prefix, Logger: a.logger, Registerer: a.registry,
		}
		if a.does.Front { // without clients there are no hits to answer from memory
			options.NearBytes, options.NearDelta = settings.Near.MemoryBytes, settings.Near.Delta
		}
		store, err := rediscache.New(options)
		if err != nil {
			return err
		}
		recorded := recordCache(store)
		d.cache, d.settle = recorded, settings.Near.Delta
		d.records = rediskv.New(store.Client(), settings.Prefix)
		if options.NearBytes > 0 {
			d.near = store
		}
		d.onClose(store.Close)
		d.addDependency(dependency{
			name: "cache", kind: "cache", check: recorded.Ping, calls: []*calls{&recorded.writes},
			noteError: func() error { return a.board.WriteError() },
		})
		return nil
	}
	return fmt.Errorf("cache type %q is unknown", a.config.Cache.Type)
}
