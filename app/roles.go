package app

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloudmirror/copier"
	"cloudmirror/frontend"
)

func (a *App) newCopier() *copier.Copier {
	return copier.New(copier.Options{
		Engine: a.engine, Cache: a.drivers.cache, Origin: a.drivers.origin, Backends: a.copierBackends(),
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
	return frontend.New(frontend.Options{
		Engine: a.engine, Services: a.frontendServices(), Tokens: a.tokens(a.config.FileTokens()), PublicURL: a.config.ServerURL(),
		DeploymentID: a.config.DeploymentID(), Version: version,
		Health:     http.HandlerFunc(a.health.serveLive),
		Ready:      http.HandlerFunc(a.serveReady),
		Metrics:    a.metricsHandler(),
		Presence:   a.board,
		MaxWaiters: a.config.Limits.Waiters, MaxWaitersPerClient: a.config.Limits.WaitersPerClient,
		TrustedProxies: a.config.TrustedProxies,
		Objects:        a.fileHandlers(), Records: a.drivers.records, Registerer: a.registry, Logger: a.logger, Audit: a.audit,
	})
}
