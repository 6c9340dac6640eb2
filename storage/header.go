package storage

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// Bounds of the headers that are kept with a copy, of their names and values.
const (
	// MaxHeaderBytes bounds all of them together. nginx as a proxy takes answers
	// with 4 or 8 KiB of headers (proxy_buffer_size), the server's own included.
	MaxHeaderBytes = 4 << 10
	// MaxStandardBytes bounds the standard ones together: S3 keeps 2 KiB, ours
	// and its own
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
	MaxStandardBytes = 1536
	// MaxStandardValueBytes bounds the value of each standard one. Each part of an
	// answer with several ranges repeats the Content-Type; a file name of 255
	// bytes fits into a Content-Disposition in both of its forms.
	MaxStandardValueBytes = 1 << 10
)

// DefaultContentType is what a copy is served as whose origin told no Content-Type:
// nothing is guessed from its bytes.
const DefaultContentType = "application/octet-stream"

// userMetadataPrefix marks origin metadata that survives a copy.
const userMetadataPrefix = "X-Amz-Meta-"

// ownMetadataPrefix is what drivers keep their own metadata under. An origin
// cannot write there.
const ownMetadataPrefix = userMetadataPrefix + "Cloudmirror-"

// standardHeaders are those that describe an object, the most important one first.
func standardHeaders() []string {
	return []string{
		"Content-Encoding", "Content-Type", "Last-Modified", "Content-Language", "Content-Disposition", "Cache-Control",
	}
}

// KeptHeader returns the headers of an origin's answer that are kept with a copy
// and served with it: those that describe the object, and its own metadata. Only
// the first value of each counts.
//
// Values of standard headers are printable ASCII, which every storage serves as it
// is: a Content-Disposition in UTF-8 is encoded as RFC 6266 says, with an ASCII
// name beside it; a Content-Type loses its parameters that are not ASCII.
//
// Left out is what HTTP does not allow, what is no UTF-8, other standard headers
// that are not ASCII or are empty, and what goes beyond the bounds, metadata first.
// Of what this returns, it returns the same again.
func KeptHeader(origin http.Header) http.Header {
	found := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(origin)) {
		canonical, values := http.CanonicalHeaderKey(name), origin[name]
		if len(values) > 0 && isSound(canonical, values[0]) {
			found[canonical] = values[0]
		}
	}
	kept, size := make(http.Header), 0
	for _, name := range standardHeaders() {
		value := inASCII(name, found[name])
		cost := len(name) + len(value)
		if value != "" && len(value) <= MaxStandardValueBytes && size+cost <= MaxStandardBytes {
			kept[name] = []string{value}
			size += cost
		} else if name == "Content-Type" {
			size += len(name) + len(DefaultContentType) // S3 is told, and tells it again
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		cost := len(name) + len(found[name])
		if isMetadata(name) && size+cost <= MaxHeaderBytes {
			kept[name] = []string{found[name]}
			size += cost
		}
	}
	return kept
}

// LeftOut returns the names of the standard headers that KeptHeader leaves out, and
// X-Amz-Meta- if it leaves out metadata, whose names are the origin's own.
func LeftOut(origin http.Header) []string {
	kept := KeptHeader(origin)
	left := make(map[string]bool)
	for name := range origin {
		canonical := http.CanonicalHeaderKey(name)
		switch _, isKept := kept[canonical]; {
		case isKept:
		case isMetadata(canonical):
			left[userMetadataPrefix] = true
		case slices.Contains(standardHeaders(), canonical):
			left[canonical] = true
		}
	}
	return slices.Sorted(maps.Keys(left))
}

func isSound(name, value string) bool {
	return httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value) && utf8.ValidString(value)
}

func isMetadata(name string) bool {
	return strings.HasPrefix(name, userMetadataPrefix) && !strings.HasPrefix(name, ownMetadataPrefix)
}
