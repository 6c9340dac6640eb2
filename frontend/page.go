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
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("the status page: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return &page{template: t, security: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}

// pageData is what the page shows.
type pageData struct {
	overviewBody
	Style  template.CSS
	Uptime time.Duration
}

// HealthWords returns the health for people.
func (b backendBody) HealthWords() string {
	switch b.Health {
	case healthCutOff:
		return "clients cannot fetch copies"
	case healthQueueDown:
		return "queue unreachable"
	case healthStorageDown:
		return "storage down"
	case healthCacheDown:
		return "cache down"
	case healthNoCopier:
		return "no copier"
	case healthUnknown:
		return "not known"
	}
	return b.Health
}

// ToCopies returns how many clients were redirected to copies in the last hour.
func (b backendBody) ToCopies() uint64 {
	return b.LastHour[outcomeHit.String()] + b.LastHour[outcomeBackfill.String()] + b.LastHour[outcomeMiss.String()]
}

// statusPage answers GET of /status and /.
func (pg *pages) statusPage(r *http.Request) answer {
	var body bytes.Buffer
	err := pg.page.template.Execute(&body, pageData{
		overviewBody: pg.survey(r.Context(), false),
		Style:        template.CSS(pageCSS), //nolint:gosec // the style is our own
		Uptime:       pg.uptime().Truncate(time.Second),
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
