package app

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloudmirror"
	"cloudmirror/copier"
	"cloudmirror/frontend"
)

func (a *App) newCopier() *copier.Copier {
	return copier.New(copier.Options{
		Engine: a.engine, Cache: a.parts.cache, Origin: a.parts.origin, Backends: a.parts.jobs,
		Logger: a.logger, Registerer: a.registry,
		Connections: a.config.Copier.Connections,
		Manners:     copier.Manners{CopiesPerHost: a.config.Limits.CopiesPerHost},
		Concurrency: a.config.Copier.Concurrency,
		Visibility:  a.config.Queue.SQS.Visibility,
		Grace:       a.config.Copier.Grace,
	})
}

func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry})
}

// adminHandler answers what operators ask a process: metrics, health, profiles.
func (a *App) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metricsHandler())
	mux.HandleFunc("GET /healthz", a.health.serveLive)
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	return mux
}

func (a *App) newFrontend(version string) (*frontend.Frontend, error) {
	if err := a.makeOwnToken(); err != nil {
		return nil, err
	}
	services := make(map[string]frontend.Service, len(a.config.Services))
	for _, s := range a.config.Services {
		service := frontend.Service{
			Rules: rules(s), Wait: s.Wait,
			Fallback: cloudmirror.Fallback(s.Fallback), Mode: cloudmirror.Mode(s.Mode), CORS: s.CORS,
		}
		for _, b := range s.Backends {
			backend := frontend.Backend{Region: b.ID.Region, StorageLabel: b.Storage.Provider, Queue: a.parts.counters[b.ID], DeadLetters: a.parts.letters[b.ID]}
			if watched := a.parts.monitor.Backend(b.ID); watched != nil {
				backend.Reach = watched
			}
			service.Backends = append(service.Backends, backend)
		}
		services[s.Name] = service
	}
	return frontend.New(frontend.Options{
		Engine: a.engine, Services: services, Tokens: a.tokens(a.config.FileTokens()), PublicURL: a.config.ServerURL(),
		DeploymentID: a.config.DeploymentID(), Version: version,
		Health:     http.HandlerFunc(a.health.serveLive),
		Ready:      http.HandlerFunc(a.serveReady),
		Metrics:    a.metricsHandler(),
		Presence:   a.board,
		MaxWaiters: a.config.Limits.Waiters, MaxWaitersPerClient: a.config.Limits.WaitersPerClient,
		TrustedProxies: a.config.TrustedProxies,
		Objects:        a.parts.objects, Records: a.parts.records, Registerer: a.registry, Logger: a.logger, Audit: a.audit,
	})
}
