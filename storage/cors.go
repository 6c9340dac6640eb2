package storage

import "net/http"

// What scripts of pages may do with copies, wherever the copies are: the lists of
// the CORS protocol (https://fetch.spec.whatwg.org/#http-cors-protocol). Credentials
// are never among it.

// CORSMethods returns the methods by which scripts may ask for copies.
func CORSMethods() []string { return []string{http.MethodGet, http.MethodHead} }

// CORSRequestHeaders returns the headers that scripts may send: ranges and
// conditions.
func CORSRequestHeaders() []string {
	return []string{"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"}
}

// CORSExposedHeaders returns the headers of copies that scripts may read, beside
// those which they always may, such as Content-Length and Content-Type.
func CORSExposedHeaders() []string {
	return []string{"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Range", "ETag"}
}
