package frontend

import (
	"net/http"
	"slices"
	"strings"

	"cloudmirror/api"
	"cloudmirror/storage"
)

// everyOrigin lets the pages of all sites in.
const everyOrigin = "*"

// preflightAge is for how many seconds a browser may remember what it may do.
const preflightAge = "7200" // the most that Chromium takes

// A cors says of which origins' pages the scripts may read what a service answers
// (https://fetch.spec.whatwg.org/#http-cors-protocol). It holds values of headers,
// ready to be put into answers, and is never changed. A nil one lets no page in.
type cors struct {
	always  []string            // the allowed origin of every answer; nil: it depends on the request
	origins map[string][]string // allowed ones, by what requests name
	vary    []string

	exposed, methods, headers, age []string
}

// newCORS returns what lets pages of these origins in; nil if there are none.
func newCORS(origins []string) *cors {
	if len(origins) == 0 {
		return nil
	}
	joined := func(texts ...string) []string { return []string{strings.Join(texts, ", ")} }
	c := &cors{
		origins: make(map[string][]string, len(origins)), vary: []string{"Origin"},
		exposed: joined(append(storage.CORSExposedHeaders(), "Cache-Status", "Retry-After", "X-Request-Id")...),
		methods: joined(storage.CORSMethods()...), headers: joined(storage.CORSRequestHeaders()...), age: []string{preflightAge},
	}
	for _, origin := range origins {
		c.origins[origin] = []string{origin}
	}
	if slices.Contains(origins, everyOrigin) {
		c.always = []string{everyOrigin}
	}
	return c
}

// admit notes in the header of an answer whether the page that asks may read it,
// and reports it. It does not allocate.
func (c *cors) admit(answer http.Header, r *http.Request) bool {
	if c == nil {
		return false
	}
	allowed := c.always
	if allowed == nil {
		answer["Vary"] = c.vary
		if asked := r.Header["Origin"]; len(asked) == 1 {
			allowed = c.origins[asked[0]]
		}
	}
	if allowed == nil {
		return false
	}
	answer["Access-Control-Allow-Origin"] = allowed
	return true
}

// expose is admit for answers of which scripts see the header. They never see that
// of a redirect.
func (c *cors) expose(answer http.Header, r *http.Request) {
	if c.admit(answer, r) {
		answer["Access-Control-Expose-Headers"] = c.exposed
	}
}

// preflight answers OPTIONS of /v1/redirect/:service/… and, by serveObject, of
// /objects/:service/….
func (rd *redirects) preflight(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(requestTarget(r), api.RedirectPrefix)
	name, _, _ := strings.Cut(rest, "/")
	rd.answerPreflight(w, r, rd.services[name])
}

// answerPreflight tells a browser what scripts may do with a service, which is nil
// if there is none, and others the methods.
func (rd *redirects) answerPreflight(w http.ResponseWriter, r *http.Request, s *service) {
	h := w.Header()
	h.Set("Allow", "OPTIONS, GET, HEAD")
	if s != nil && s.cors.admit(h, r) {
		h["Access-Control-Allow-Methods"], h["Access-Control-Allow-Headers"] = s.cors.methods, s.cors.headers
		h["Access-Control-Max-Age"] = s.cors.age
	}
	rd.write(w, r, answer{status: http.StatusNoContent})
}
