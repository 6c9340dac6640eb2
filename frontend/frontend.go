package frontend

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"cloudmirror"
)

// bodyTimeout is how long a client may take to send the body of a request.
const bodyTimeout = 30 * time.Second

// A Frontend answers HTTP requests: it hands each to one of three rooms. It is safe for concurrent use.
type Frontend struct {
	core           *core
	redirects      *redirects
	administration *administration
	pages          *pages

	ids       requestIDs
	endpoints []endpoint
	echo      *echo.Echo
}

// New returns a Frontend. Close it when done.
func New(o Options) (*Frontend, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	waiters := newWaiterLimit(o.MaxWaiters, o.MaxWaitersPerClient)
	c, err := newCore(o, &waiters.waiting)
	if err != nil {
		return nil, err
	}
	f := &Frontend{core: c, redirects: newRedirects(c, o, waiters), ids: newRequestIDs()}
	if f.pages, err = newPages(c, o); err != nil {
		return nil, err
	}
	f.administration = newAdministration(c, o, f.redirects)
	f.endpoints = slices.Concat(f.redirects.endpoints(), f.administration.endpoints(), f.pages.endpoints())
	f.echo = f.newRouter()
	return f, nil
}

// Handler returns the handler of all requests.
func (f *Frontend) Handler() http.Handler { return http.HandlerFunc(f.serve) }

// serve answers a request. Copies that this process keeps, and redirects whose target is
// remembered, go around the router.
func (f *Frontend) serve(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Request-Id"] = []string{f.ids.of(r)}
	defer func() {
		if cause := recover(); cause != nil {
			f.answerPanic(w, r, cause)
		}
	}()
	if r.ContentLength != 0 {
		// A server without a limit would wait for a body for ever, also for one
		// that no handler reads. An error says that the connection has no deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	if strings.HasPrefix(r.URL.Path, objectsPrefix) {
		f.redirects.serveObject(w, r)
		return
	}
	if f.redirects.redirectRemembered(w, r) { // there is nothing left to route
		return
	}
	f.echo.ServeHTTP(w, r)
}

// SetTokens replaces the tokens that are valid: a request that is being answered
// counts by either, each later one by these alone. It may be called at any time;
// the caller does not change the slice any more.
func (f *Frontend) SetTokens(tokens []cloudmirror.Token) { f.core.guard.tokens.Store(&tokens) }

// Requests returns the redirect requests since the start, by backend and outcome.
func (f *Frontend) Requests() map[string]map[string]uint64 {
	all := make(map[string]map[string]uint64, len(f.core.backends))
	for _, b := range f.core.backends {
		all[b.id.String()] = b.requests.counts()
	}
	return all
}

// Drain ends the waits for copies: each client gets its fallback at once, also those
// that come later. All other requests are answered as before.
func (f *Frontend) Drain() { f.core.drain() }

// Close drains, ends the background jobs and waits until they are gone. The
// caller stops serving requests first.
func (f *Frontend) Close() {
	f.core.drain()
	f.administration.jobs.Close()
}
