package storage

import (
	"net/http"
	"slices"
	"strings"
)

// userMetadataPrefix marks origin metadata that survives a copy.
const userMetadataPrefix = "X-Amz-Meta-"

// ownMetadataPrefix is what drivers keep their own metadata under. An origin
// cannot write there.
const ownMetadataPrefix = userMetadataPrefix + "Cloudmirror-"

// KeptHeader returns the headers of an origin's answer that are kept with a copy
// and served with it: those that describe the object, and its own metadata.
func KeptHeader(origin http.Header) http.Header {
	kept := make(http.Header)
	for name, values := range origin {
		name = http.CanonicalHeaderKey(name)
		if len(values) > 0 && isKept(name) {
			kept[name] = values[:1:1]
		}
	}
	return kept
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
