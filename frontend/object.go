package frontend

import (
	"net/http"
	"net/url"
	"strings"

	"cloudmirror"
)

const objectsPrefix = "/objects/"

// serveObject hands a request below /objects/<service>/<region>/ to the handler
// of that backend. A copier of this deployment gets none: it would make copies of
// copies. Requests go around Echo here, whose response hides io.ReaderFrom, and
// with it sendfile.
func (rd *redirects) serveObject(w http.ResponseWriter, r *http.Request) {
	service, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, objectsPrefix), "/")
	region, key, found := strings.Cut(rest, "/")
	handler := rd.objects[cloudmirror.BackendID{Service: service, Region: region}]
	switch {
	case !found || handler == nil:
		rd.write(w, r, unknownRoute())
		return
	case r.Method == http.MethodOptions:
		rd.answerPreflight(w, r, rd.services[service])
		return
	case rd.loops(r.Header):
		rd.write(w, r, loopDetected())
		return
	}
	rd.services[service].cors.expose(w.Header(), r)
	inner := *r
	inner.URL = new(url.URL)
	*inner.URL = *r.URL
	inner.URL.Path, inner.URL.RawPath = "/"+key, ""
	handler.ServeHTTP(w, &inner)
}
