package frontend

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"go.uber.org/zap"

	"cloudmirror/api"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// page is the status page: one document without scripts or other parts.
type page struct {
	template *template.Template
	security string
}

func newPage() (*page, error) {
	t, err := template.New("page").Funcs(template.FuncMap{"healthWords": healthWords, "toCopies": toCopies}).Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("the status page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return &page{template: t, security: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}

// pageData is what the page shows.
type pageData struct {
	api.Overview
	Style  template.CSS
	Uptime time.Duration
}

// healthWords returns the health of a backend for people.
func healthWords(health string) string {
	switch health {
	case api.HealthRegionUnreachable:
		return "clients cannot fetch copies"
	case api.HealthQueueUnreachable:
		return "queue unreachable"
	case api.HealthStorageDown:
		return "storage down"
	case api.HealthCacheDown:
		return "cache down"
	case api.HealthNoCopier:
		return "no copier"
	case api.HealthUnknown:
		return "not known"
	}
	return health
}

// toCopies returns how many clients were redirected to copies, by the counts of their
// outcomes.
func toCopies(requests map[string]uint64) uint64 {
	return requests[api.OutcomeHit] + requests[api.OutcomeBackfill] + requests[api.OutcomeMiss]
}

// statusPage answers GET of /status and /.
func (pg *pages) statusPage(r *http.Request) answer {
	var body bytes.Buffer
	err := pg.page.template.Execute(&body, pageData{
		Overview: pg.survey(r.Context(), false),
		Style:    template.CSS(pageCSS), //nolint:gosec // the style is our own
		Uptime:   pg.uptime().Truncate(time.Second),
	})
	if err != nil {
		pg.logger.Error("the status page could not be made", zap.Error(err))
		return internalError()
	}
	return okDocument(document{
		contentType: "text/html; charset=utf-8", cacheControl: "no-store", security: pg.page.security, body: body.String(),
	})
}

func (pg *pages) uptime() time.Duration { return time.Since(pg.started) }
