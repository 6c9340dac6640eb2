package frontend

import (
	_ "embed"
	"fmt"
	"net/http"
	"time"

	"cloudmirror/api"
)

//go:embed openapi.json
var openAPI string

// pages tells of the deployment as a whole, to people and to monitoring.
type pages struct {
	*core
	page    *page
	version string
	started time.Time
	probes  map[string]http.Handler // by path; nil: it is unknown
}

func newPages(c *core, o Options) (*pages, error) {
	page, err := newPage()
	if err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	return &pages{
		core: c, page: page, version: o.Version, started: time.Now(),
		probes: map[string]http.Handler{"/healthz": o.Health, api.ReadyPath: o.Ready, "/metrics": o.Metrics},
	}, nil
}

func (pg *pages) endpoints() []endpoint {
	endpoints := []endpoint{
		{reading(), api.BackendsPath, api.BackendsPath, pg.answering(pg.backendsJSON)},
		{reading(), api.PingPath, api.PingPath, pg.answering(pg.ping)},
		{reading(), "/openapi.json", "/openapi.json", pg.answering(pg.description)},
		{reading(), "/status", "/status", pg.answering(pg.statusPage)},
		{reading(), "/", "/", pg.answering(pg.statusPage)},
	}
	for path, handler := range pg.probes {
		if handler != nil {
			endpoints = append(endpoints, endpoint{reading(), path, path, handler.ServeHTTP})
		}
	}
	return endpoints
}

func (pg *pages) ping(*http.Request) answer {
	return okJSON(api.Ping{Alive: true, Uptime: wholeSeconds(pg.uptime())})
}

func (pg *pages) description(*http.Request) answer {
	return okDocument(document{contentType: "application/json", cacheControl: "public, max-age=300", body: openAPI})
}
