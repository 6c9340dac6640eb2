package frontend

import (
	_ "embed"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"cloudmirror"
)

//go:embed openapi.json
var openAPI string

const objectsPrefix = "/objects/"

// bodyTimeout is how long a client may take to send the body of a request.
const bodyTimeout = 30 * time.Second

// A route is one path and what answers it.
type route struct {
	methods  []string
	path     string // as Echo matches it; what is behind it is read from the raw target
	template string // as openapi.json describes it
	serve    http.HandlerFunc
}

// table lists all routes but the one below /objects/, which goes around Echo.
func (f *Frontend) table(o Options) []route {
	read := []string{http.MethodGet, http.MethodHead}
	routes := []route{
		{read, "/v1/redirect/*", "/v1/redirect/{service}/{region}/{url}", f.redirect},
		{[]string{http.MethodOptions}, "/v1/redirect/*", "/v1/redirect/{service}/{region}/{url}", f.preflight},
		{[]string{http.MethodDelete}, "/v1/purge/*", "/v1/purge/{service}/{region}/{url}", f.answering(f.purge)},
		{read, "/v1/status/*", "/v1/status/{service}/{region}/{url}", f.answering(f.status)},
		{read, "/v1/explain/*", "/v1/explain/{service}/{region}/{url}", f.answering(f.explain)},
		{[]string{http.MethodPost}, "/v1/warm", "/v1/warm", f.answering(f.warm)},
		{read, "/v1/jobs/:id", "/v1/jobs/{id}", f.answering(f.job)},
		{read, "/v1/dead-letters/:service/:region", "/v1/dead-letters/{service}/{region}", f.answering(f.letters)},
		{[]string{http.MethodPost}, "/v1/dead-letters/:service/:region" + redriveSuffix, "/v1/dead-letters/{service}/{region}/redrive", f.answering(f.redriveLetters)},
		{[]string{http.MethodPost}, "/v1/dead-letters/:service/:region" + dropSuffix, "/v1/dead-letters/{service}/{region}/drop", f.answering(f.dropLetters)},
		{read, "/v1/backends", "/v1/backends", f.answering(f.backendsJSON)},
		{read, "/v1/ping", "/v1/ping", f.answering(f.ping)},
		{read, "/openapi.json", "/openapi.json", f.answering(f.description)},
		{read, "/status", "/status", f.answering(f.statusPage)},
		{read, "/", "/", f.answering(f.statusPage)},
	}
	for path, handler := range map[string]http.Handler{"/healthz": o.Health, "/readyz": o.Ready, "/metrics": o.Metrics} {
		if handler != nil {
			routes = append(routes, route{read, path, path, handler.ServeHTTP})
		}
	}
	return routes
}

// answering makes a handler of what decides an answer.
func (f *Frontend) answering(decide func(*http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { f.write(w, r, decide(r)) }
}

// serve is where every request comes in.
func (f *Frontend) serve(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Request-Id"] = []string{f.ids.of(r)}
	defer func() {
		if cause := recover(); cause != nil {
			f.answerPanic(w, r, cause)
		}
	}()
	if r.ContentLength != 0 {
		// A server without a limit would wait for a body for ever, also for one
		// that nobody reads. An error says that the connection has no deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	if strings.HasPrefix(r.URL.Path, objectsPrefix) {
		f.serveObject(w, r)
		return
	}
	if k, ok := f.recall(r); ok { // there is nothing left to route
		f.redirectKnown(w, r, time.Now(), k)
		return
	}
	f.echo.ServeHTTP(w, r)
}

// newRouter returns an Echo that only routes: handlers write to the server's own
// writer, and errors are ours.
func (f *Frontend) newRouter() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = f.routingError
	for _, route := range f.routes {
		for _, method := range route.methods {
			e.Add(method, route.path, func(c echo.Context) error {
				route.serve(c.Response().Writer, c.Request())
				return nil
			})
		}
	}
	return e
}

// routingError answers the requests for which Echo has no route.
func (f *Frontend) routingError(err error, c echo.Context) {
	a := internalError()
	routing, _ := errors.AsType[*echo.HTTPError](err)
	switch {
	case routing != nil && routing.Code == http.StatusNotFound:
		a = unknownRoute()
	case routing != nil && routing.Code == http.StatusMethodNotAllowed:
		a = methodNotAllowed() // Echo has set Allow
	default:
		f.logger.Error("routing failed", zap.Error(err))
	}
	f.write(c.Response().Writer, c.Request(), a)
}

// serveObject hands a request below /objects/<service>/<region>/ to the handler
// of that backend. A copier of this deployment gets none: it would make copies of
// copies. Requests go around Echo here, whose response hides io.ReaderFrom, and
// with it sendfile.
func (f *Frontend) serveObject(w http.ResponseWriter, r *http.Request) {
	service, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, objectsPrefix), "/")
	region, key, found := strings.Cut(rest, "/")
	handler := f.objects[cloudmirror.BackendID{Service: service, Region: region}]
	switch {
	case !found || handler == nil:
		f.write(w, r, unknownRoute())
		return
	case r.Method == http.MethodOptions:
		f.answerPreflight(w, r, f.services[service])
		return
	case f.loops(r.Header):
		f.write(w, r, loopDetected())
		return
	}
	f.services[service].cors.expose(w.Header(), r)
	inner := *r
	inner.URL = new(url.URL)
	*inner.URL = *r.URL
	inner.URL.Path, inner.URL.RawPath = "/"+key, ""
	handler.ServeHTTP(w, &inner)
}

type pingBody struct {
	Alive  bool  `json:"alive"`
	Uptime int64 `json:"uptime"` // seconds
}

func (f *Frontend) ping(*http.Request) answer {
	return okJSON(pingBody{Alive: true, Uptime: wholeSeconds(f.uptime())})
}

func (f *Frontend) description(*http.Request) answer {
	return okDocument(document{contentType: "application/json", cacheControl: "public, max-age=300", body: openAPI})
}
