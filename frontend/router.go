package frontend

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
)

// An endpoint is one path and what answers it.
type endpoint struct {
	methods  []string
	path     string // as Echo matches it; what is behind it is read from the raw target
	template string // as openapi.json describes it
	serve    http.HandlerFunc
}

// objectTemplate ends the templates of endpoints that name an object.
const objectTemplate = "{service}/{region}/{url}"

// reading returns the methods of endpoints that change nothing.
func reading() []string { return []string{http.MethodGet, http.MethodHead} }

// newRouter returns an Echo that only routes: handlers write to the server's own
// writer, and routingError answers errors.
func (f *Frontend) newRouter() *echo.Echo {
	router := echo.New()
	router.HideBanner, router.HidePort = true, true
	router.HTTPErrorHandler = f.routingError
	for _, e := range f.endpoints {
		for _, method := range e.methods {
			router.Add(method, e.path, func(c echo.Context) error {
				e.serve(c.Response().Writer, c.Request())
				return nil
			})
		}
	}
	return router
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
		f.core.logger.Error("routing failed", zap.Error(err))
	}
	f.core.write(c.Response().Writer, c.Request(), a)
}
