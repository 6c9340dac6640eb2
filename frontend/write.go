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
)

// fixedHeader holds header values that are the same in many answers, ready to
// be put into a header. They have no room behind them and are never changed.
type fixedHeader struct {
	noStore, json, noSniff []string
}

func newFixedHeader() fixedHeader {
	return fixedHeader{noStore: []string{"no-store"}, json: []string{"application/json"}, noSniff: []string{"nosniff"}}
}

// write sends an answer. All that it writes but the document is put together in
// one string, of which header values and body are parts.
func (f *Frontend) write(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	var stack [1 << 10]byte
	text := a.cache.append(stack[:0])
	cacheEnd := len(text)
	text = a.appendBody(text, h["X-Request-Id"])
	bodyEnd := len(text)
	length := bodyEnd - cacheEnd
	if a.document != nil {
		length = len(a.document.body)
	}
	text = strconv.AppendInt(text, int64(length), 10)
	parts := string(text)
	body := parts[cacheEnd:bodyEnd]

	values := &[3]string{parts[:cacheEnd], parts[bodyEnd:], a.location}
	if cacheEnd > 0 {
		h["Cache-Status"] = values[0:1:1]
	}
	if length > 0 {
		h["Content-Length"] = values[1:2:2]
	}
	if a.location != "" {
		h["Location"] = values[2:3:3]
	}
	h["Cache-Control"] = f.header.noStore
	switch {
	case a.document != nil:
		a.document.describe(h)
		h["X-Content-Type-Options"] = f.header.noSniff
	case length > 0:
		h["Content-Type"] = f.header.json
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(a.retryAfter+time.Second-1), 10))
	}
	if a.challenge != "" {
		h.Set("WWW-Authenticate", a.challenge)
	}
	w.WriteHeader(a.status)
	if r.Method == http.MethodHead || length == 0 {
		return
	}
	// An error means that the client is gone, which is nobody's concern.
	if a.document != nil {
		_, _ = w.Write(a.document.body)
		return
	}
	_, _ = io.WriteString(w, body)
}

func (d *document) describe(h http.Header) {
	h.Set("Content-Type", d.contentType)
	h.Set("Cache-Control", d.cacheControl)
	if d.security != "" {
		h.Set("Content-Security-Policy", d.security)
		h.Set("Referrer-Policy", "no-referrer")
	}
}

// appendBody appends the JSON body of an answer.
func (a *answer) appendBody(to []byte, requestID []string) []byte {
	switch {
	case a.redirect != "":
		to = append(to, `{"status":"`...)
		to = append(to, a.redirect...)
		to = append(to, `","url":`...)
		to = appendString(to, a.location)
		return append(to, '}')
	case a.code != "":
		e := errorBody{Code: a.code, Message: a.message}
		if len(requestID) == 1 {
			e.RequestID = requestID[0]
		}
		return appendJSON(to, e)
	case a.json != nil:
		return appendJSON(to, a.json)
	}
	return to
}

// errorBody is the one shape of errors.
type errorBody struct {
	Code      cloudmirror.Code `json:"code"`
	Message   string           `json:"message"`
	RequestID string           `json:"request_id"`
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

// sentence makes one of an error's text: with a capital letter and a full stop.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
