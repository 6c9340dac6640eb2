package app

import (
	"context"
	"net/http"
	"slices"

	"cloudmirror"
	"cloudmirror/config"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/monitor"
	"cloudmirror/storage"
)

// A backend is one storage and one queue of a service, as the process opened them. The
// layers above get their views of it.
type backend struct {
	config.Backend
	service config.Service
	queue   *recordedQueue
	storage *recordedStorage
	files   http.Handler // serves the copies that the process itself keeps; nil: they are elsewhere
	copied  bool         // the process makes the copies
}

// openBackend opens one backend and has its health checked.
func (a *App) openBackend(ctx context.Context, d *drivers, service config.Service, b config.Backend) error {
	jobs, err := d.openQueue(b.ID)
	if err != nil {
		return err
	}
	copies, files, err := d.openStorage(ctx, b)
	if err != nil {
		return err
	}
	opened := &backend{
		Backend: b, service: service, queue: recordQueue(jobs), storage: recordStorage(copies), files: files, copied: a.copiesTo(b.ID),
	}
	d.backends = append(d.backends, opened)
	q, s := opened.queue, opened.storage
	d.addDependency(backendDependency("queue", b.ID, func(ctx context.Context) error {
		counts, err := q.Count(ctx)
		d.queues.show(b.ID, counts, err)
		return err
	}, &q.sends, &q.receives, &q.acks))
	d.addDependency(backendDependency("storage", b.ID, s.check, &s.writes, &s.removals))
	return nil
}

// opens reports whether the process opens a backend. One that only copies opens those
// that it copies to: its policy lets it look at no others.
func (a *App) opens(id cloudmirror.BackendID) bool {
	return a.does.Front || a.does.Control || a.copiesTo(id)
}

// copiesTo reports whether the process makes the copies of a backend.
func (a *App) copiesTo(id cloudmirror.BackendID) bool {
	wanted := a.config.Copier.Backends
	return a.does.Copy && (len(wanted) == 0 || slices.Contains(wanted, id))
}

// engineBackends returns the backends as the engine needs them.
func (a *App) engineBackends() []engine.Backend {
	var all []engine.Backend
	for _, b := range a.drivers.backends {
		e := engine.Backend{ID: b.ID, Storage: b.storage, Queue: b.queue, TTL: b.service.TTL, MaxLife: b.service.MaxLife(), NegativeTTL: b.service.NegativeTTL}
		if a.does.Front { // for a process without clients there are no hits to look behind
			e.Recheck = b.service.Recheck
		}
		all = append(all, e)
	}
	return all
}

// copierBackends returns the backends that the process makes copies for.
func (a *App) copierBackends() []copier.Backend {
	var all []copier.Backend
	for _, b := range a.drivers.backends {
		if b.copied {
			all = append(all, copier.Backend{
				ID: b.ID, Queue: b.queue, Storage: b.storage, Rules: rules(b.service), BandwidthBytes: b.service.BandwidthBytes,
			})
		}
	}
	return all
}

// frontendServices returns the services with their backends, by name.
func (a *App) frontendServices() map[string]frontend.Service {
	services := make(map[string]frontend.Service, len(a.config.Services))
	for _, b := range a.drivers.backends {
		s, known := services[b.service.Name]
		if !known {
			s = frontend.Service{
				Rules: rules(b.service), Wait: b.service.Wait, Fallback: b.service.Fallback, Mode: b.service.Mode, CORS: b.service.CORS,
			}
		}
		view := frontend.Backend{Region: b.ID.Region, StorageLabel: b.Storage.Label, Queue: b.queue, DeadLetters: b.queue}
		if watched := a.drivers.monitor.Backend(b.ID); watched != nil {
			view.Reach = watched
		}
		s.Backends = append(s.Backends, view)
		services[b.service.Name] = s
	}
	return services
}

// fileHandlers returns what serves the copies that the process itself keeps.
func (a *App) fileHandlers() map[cloudmirror.BackendID]http.Handler {
	handlers := make(map[cloudmirror.BackendID]http.Handler)
	for _, b := range a.drivers.backends {
		if b.files != nil {
			handlers[b.ID] = b.files
		}
	}
	return handlers
}

// watchAddresses has the addresses watched to which the front end redirects; without a
// front end, none. Files that the process serves itself are not among them: a client
// that reaches the process reaches them.
func (a *App) watchAddresses(d *drivers) {
	settings := a.config.Health
	storages := make(map[cloudmirror.BackendID]storage.Provider)
	for _, b := range d.backends {
		if a.does.Front && settings.Interval > 0 && b.files == nil {
			storages[b.ID] = b.storage
		}
	}
	d.monitor = monitor.New(monitor.Options{
		Storages: storages, Interval: settings.Interval, Timeout: settings.Timeout, Failures: settings.Failures,
		Logger: a.logger, Registerer: a.registry,
	})
	d.background = append(d.background, d.monitor.Run)
	for id := range storages {
		watched := backendDependency("copies", id, d.monitor.Backend(id).Check)
		watched.live = true
		d.addDependency(watched)
	}
}
