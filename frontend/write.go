package frontend

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cloudmirror"
	"cloudmirror/api"
)

// fixedHeader holds header values that are the same in many answers, ready to
// be put into a header. They have no room behind them and are never changed.
type fixedHeader struct {
	noStore, json, noSniff []string
}

func newFixedHeader() fixedHeader {
	return fixedHeader{noStore: []string{"no-store"}, json: []string{"application/json"}, noSniff: []string{"nosniff"}}
}

// A redirect is what a redirecting answer says of where to: header values, which
// have no room behind them, and the body. It is never changed.
type redirect struct {
	location, length []string
	body             string
}

// newRedirect returns the redirect to a copy or to an origin.
func newRedirect(to cloudmirror.Location) *redirect {
	status := "present"
	if to.Place.Kind == cloudmirror.PlaceOrigin {
		status = "origin"
	}
	body := append(make([]byte, 0, len(to.URL)+64), `{"status":"`...)
	body = append(body, status...)
	body = append(body, `","url":`...)
	body = append(appendString(body, to.URL), '}')
	return &redirect{location: []string{to.URL}, length: []string{strconv.Itoa(len(body))}, body: string(body)}
}

// write sends an answer.
func (c *core) write(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	h["Cache-Control"] = c.header.noStore
	if a.cache != (cacheStatus{}) {
		var stack [64]byte
		h["Cache-Status"] = []string{string(a.cache.append(stack[:0]))}
	}
	var body string
	switch {
	case a.redirect != nil:
		h["Location"], h["Content-Length"], body = a.redirect.location, a.redirect.length, a.redirect.body
		h["Content-Type"] = c.header.json
	case a.document != nil:
		a.document.describe(h)
		h["X-Content-Type-Options"], body = c.header.noSniff, a.document.body
	default:
		body = a.encode(h["X-Request-Id"])
		a.describe(h)
		if body != "" {
			h["Content-Type"] = c.header.json
		}
	}
	if body != "" && a.redirect == nil {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead && body != "" {
		_, _ = io.WriteString(w, body) // an error means that the client is gone
	}
}

// describe sets what an error, or a body of JSON, has of headers.
func (a *answer) describe(h http.Header) {
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(a.retryAfter+time.Second-1), 10))
	}
	if a.challenge != "" {
		h.Set("WWW-Authenticate", a.challenge)
	}
}

func (d *document) describe(h http.Header) {
	h.Set("Content-Type", d.contentType)
	h.Set("Cache-Control", d.cacheControl)
	if d.security != "" {
		h.Set("Content-Security-Policy", d.security)
		h.Set("Referrer-Policy", "no-referrer")
	}
}

// encode returns the JSON body of an answer; "" if it has none.
func (a *answer) encode(requestID []string) string {
	switch {
	case a.code != "":
		e := api.Error{Code: a.code, Message: a.message}
		if len(requestID) == 1 {
			e.RequestID = requestID[0]
		}
		if a.report != nil {
			return string(appendJSON(nil, api.FailedPurge{Error: e, PurgeReport: *a.report}))
		}
		return string(appendJSON(nil, e))
	case a.json != nil:
		return string(appendJSON(nil, a.json))
	}
	return ""
}

// appendJSON appends a value of one of our body types, all of which encode.
func appendJSON(to []byte, body any) []byte {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("frontend: encode a body: " + err.Error())
	}
	return append(to, encoded...)
}

// appendString appends a JSON string. URLs need no escaping, as a rule.
func appendString(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendJSON(to, s)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}

// cacheStatus is what Cache-Status (RFC 9211) says of an answer. The zero value
// says nothing, and is not sent.
type cacheStatus struct {
	hit       bool
	miss      bool // fwd=miss: the cache had nothing, a copier was asked
	bypass    bool // fwd=bypass: the object is never copied
	stored    bool
	ttl       time.Duration // with hit
	fwdStatus int           // of the origin; 0: not said
	detail    string        // a token
}

func (c cacheStatus) append(to []byte) []byte {
	if c == (cacheStatus{}) {
		return to
	}
	to = append(to, "cloudmirror"...)
	if c.hit {
		to = append(to, "; hit; ttl="...)
		to = strconv.AppendInt(to, wholeSeconds(c.ttl), 10)
	}
	if c.miss {
		to = append(to, "; fwd=miss"...)
	}
	if c.bypass {
		to = append(to, "; fwd=bypass"...)
	}
	if c.fwdStatus != 0 {
		to = append(to, "; fwd-status="...)
		to = strconv.AppendInt(to, int64(c.fwdStatus), 10)
	}
	if c.stored {
		to = append(to, "; stored"...)
	}
	if c.detail != "" {
		to = append(to, "; detail="...)
		to = append(to, c.detail...)
	}
	return to
}

func wholeSeconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// kebab returns a code as a token of Cache-Status: URLNotAllowed is
// url-not-allowed. Codes may come from a newer copier: what is no letter is
// left out.
func kebab(code cloudmirror.Code) string {
	var b strings.Builder
	for i := range len(code) {
		c := rune(code[i])
		if c > unicode.MaxASCII || !unicode.IsLetter(c) {
			continue
		}
		startsWord := unicode.IsUpper(c) && b.Len() > 0 &&
			(!isUpperAt(code, i-1) || i+1 < len(code) && !isUpperAt(code, i+1))
		if startsWord {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func isUpperAt(code cloudmirror.Code, i int) bool { return 'A' <= code[i] && code[i] <= 'Z' }

// maxMessageBytes bounds the messages of errors: some repeat what a client sent.
const maxMessageBytes = 512

// sentence makes one of an error's text: with a capital letter and a full stop, of
// maxMessageBytes at most.
func sentence(text string) string {
	if text == "" {
		return text
	}
	text = cut(text, maxMessageBytes)
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}

// cut shortens a text to at most that number of bytes, and an ellipsis.
func cut(text string, most int) string {
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
