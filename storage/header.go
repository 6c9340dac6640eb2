package storage

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// MaxHeaderBytes bounds the names and values of the headers that are kept with a
// copy. Clients and proxies refuse answers with much more.
const MaxHeaderBytes = 16 << 10

// userMetadataPrefix marks origin metadata that survives a copy.
const userMetadataPrefix = "X-Amz-Meta-"

// ownMetadataPrefix is what drivers keep their own metadata under. An origin
// cannot write there.
const ownMetadataPrefix = userMetadataPrefix + "Cloudmirror-"

// KeptHeader returns the headers of an origin's answer that are kept with a copy
// and served with it: those that describe the object, and its own metadata. Only
// the first value of each counts. What HTTP does not allow, what is no UTF-8, and
// what goes beyond MaxHeaderBytes is left out, metadata first.
func KeptHeader(origin http.Header) http.Header {
	kept := make(http.Header)
	size := 0
	for _, name := range slices.Sorted(maps.Keys(origin)) { // X-Amz-Meta- sorts last
		canonical := http.CanonicalHeaderKey(name)
		values := origin[name]
		if len(values) == 0 || !isKept(canonical) || !isSound(canonical, values[0]) {
			continue
		}
		if size += len(canonical) + len(values[0]); size > MaxHeaderBytes {
			size -= len(canonical) + len(values[0])
			continue
		}
		kept[canonical] = values[:1:1]
	}
	return kept
}

func isSound(name, value string) bool {
	return httpguts.ValidHeaderFieldName(name) && httpguts.ValidHeaderFieldValue(value) && utf8.ValidString(value)
}

func isKept(name string) bool {
	if strings.HasPrefix(name, userMetadataPrefix) {
		return !strings.HasPrefix(name, ownMetadataPrefix)
	}
	return slices.Contains([]string{
		"Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language",
		"Cache-Control", "Last-Modified",
	}, name)
}
