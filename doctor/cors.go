package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"cloudmirror"
)

// nullOrigin is the origin that a browser names after a redirect from one site to another
// (https://fetch.spec.whatwg.org/#http-redirect-fetch).
const nullOrigin = "null"

// readAsAPage fetches the copy as a browser does for a script of a page: first the
// preflight request, then the copy. It reports the first that fails.
func (p *copyProbe) readAsAPage(ctx context.Context) {
	link, err := p.backend.Storage.URL(ctx, p.key, http.MethodGet)
	if err != nil {
		return // read has reported it
	}
	for _, way := range []struct {
		method string
		header http.Header
		names  []string // that the answer must expose to scripts
	}{
		{http.MethodOptions, http.Header{"Access-Control-Request-Method": {http.MethodGet}, "Access-Control-Request-Headers": {"range"}}, nil},
		{http.MethodGet, http.Header{"Range": {"bytes=0-3"}}, []string{"etag", "content-range"}},
	} {
		way.header.Set("Origin", nullOrigin)
		status, header, _, err := p.ask(ctx, way.method, link.URL, way.header)
		if err == nil {
			err = checkCORS(status, header, way.names)
		}
		if err != nil {
			p.report(Finding{
				CopyCORS, Error, p.subject, fmt.Sprintf("scripts of pages cannot read copies: %s: %s", way.method, cloudmirror.Brief(err)),
				"run `cloudmirror provision`; where public_url is a CDN, or the server has no rules, or others, have it let every origin in (*), and expose ETag and Content-Range",
			})
			return
		}
	}
}

// checkCORS returns why a browser would not give a response to the script that
// asked for it; nil: it would.
func checkCORS(status int, header http.Header, names []string) error {
	if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != nullOrigin {
		return fmt.Errorf("answered %d, and Access-Control-Allow-Origin is %q", status, allowed)
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("answered %d", status)
	}
	exposed := strings.ToLower(strings.Join(header.Values("Access-Control-Expose-Headers"), ","))
	for _, name := range names {
		if !strings.Contains(exposed, name) && !strings.Contains(exposed, "*") {
			return fmt.Errorf("Access-Control-Expose-Headers is %q, without %s", exposed, name)
		}
	}
	return nil
}
