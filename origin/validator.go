package origin

import (
	"net/http"
	"time"
)

// A validator is what an answer says that tells the object's bytes from others,
// which it had before or will have (RFC 9110, section 8.8).
type validator struct {
	etag     string
	modified string // Last-Modified
	isSure   bool   // the same validator promises the same bytes
}

// minSettled is how long an object must not have been modified before it was sent
// for the time to be a strong validator: another change in the same second would
// not show (RFC 9110, section 8.8.2.2), and clocks differ.
const minSettled = time.Minute

// newValidator returns the validator of an answer. A strong ETag is a sure one;
// without any ETag a time of modification is, if it is well past.
func newValidator(h http.Header) validator {
	v := validator{etag: h.Get("ETag"), modified: h.Get("Last-Modified")}
	if v.etag != "" {
		v.isSure = isStrong(v.etag)
		return v
	}
	modified, err := http.ParseTime(v.modified)
	sent, errSent := http.ParseTime(h.Get("Date"))
	v.isSure = err == nil && errSent == nil && sent.Sub(modified) >= minSettled
	return v
}

// condition makes a request for a part conditional: an origin that honours it
// answers 412 if the object has changed, one that knows only If-Range 200. What
// a part says of itself is checked all the same.
func (v validator) condition(h http.Header) {
	if v.etag != "" {
		h.Set("If-Match", v.etag)
		h.Set("If-Range", v.etag)
		return
	}
	h.Set("If-Unmodified-Since", v.modified)
	h.Set("If-Range", v.modified)
}

// isOf reports whether a part is of the object that the validator is of. A part
// need not state the time of modification beside an ETag.
func (v validator) isOf(part validator) bool {
	return part.etag == v.etag && (part.modified == v.modified || part.modified == "" && v.etag != "")
}

// isStrong reports whether an entity tag promises the same bytes (RFC 9110,
// section 8.8.3).
func isStrong(etag string) bool {
	return len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"'
}
