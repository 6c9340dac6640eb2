package frontend

import (
	_ "embed"
	"fmt"
	"net/http"
	"time"
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
		probes: map[string]http.Handler{"/healthz": o.Health, "/readyz": o.Ready, "/metrics": o.Metrics},
	}, nil
}

func (pg *pages) routes() []route {
	routes := []route{
		{reading(), "/v1/backends", "/v1/backends", pg.answering(pg.backendsJSON)},
		{reading(), "/v1/ping", "/v1/ping", pg.answering(pg.ping)},
		{reading(), "/openapi.json", "/openapi.json", pg.answering(pg.description)},
		{reading(), "/status", "/status", pg.answering(pg.statusPage)},
		{reading(), "/", "/", pg.answering(pg.statusPage)},
	}
	for path, handler := range pg.probes {
		if handler != nil {
			routes = append(routes, route{reading(), path, path, handler.ServeHTTP})
		}
	}
	return routes
}

type pingBody struct {
	Alive  bool  `json:"alive"`
	Uptime int64 `json:"uptime"` // seconds
}

func (pg *pages) ping(*http.Request) answer {
	return okJSON(pingBody{Alive: true, Uptime: wholeSeconds(pg.uptime())})
}

func (pg *pages) description(*http.Request) answer {
	return okDocument(document{contentType: "application/json", cacheControl: "public, max-age=300", body: openAPI})
}
