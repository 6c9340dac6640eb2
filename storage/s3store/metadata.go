package s3store

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloudmirror/storage"
)

// Names of our metadata. The SDK puts x-amz-meta- before them, and gives them
// back in lower case.
const (
	metaID           = "cloudmirror-id"            // of the upload; what has none is not ours
	metaSHA256       = "cloudmirror-sha256"        // of the bytes, if known before the first was sent
	metaStoredAt     = "cloudmirror-stored-at"     // when the upload began, RFC 3339
	metaExpiresAt    = "cloudmirror-expires-at"    // RFC 3339
	metaSourceHash   = "cloudmirror-source-hash"   // SHA-256 of the origin's URL
	metaLastModified = "cloudmirror-last-modified" // of the origin
	metaSidecar      = "cloudmirror-sidecar"       // "1": there is a sidecar
)

const (
	// metadataBytes is what S3 allows for names and values of metadata, less
	// some for servers that count the prefixes.
	metadataBytes = 2<<10 - 128
	// ownBytes is more than our metadata needs.
	ownBytes = 700
)

// originPrefix marks the origin's metadata in its canonical header names.
const originPrefix = "X-Amz-Meta-"

// natives are the standard headers that S3 keeps and serves itself.
type natives struct {
	contentType, contentEncoding, contentDisposition, contentLanguage, cacheControl *string
}

// split divides the headers of a copy into what S3 serves and what fits into its
// metadata. All is false if something is left over, for the sidecar.
func split(kept http.Header) (n natives, metadata map[string]string, all bool) {
	all, metadata = true, make(map[string]string)
	n.contentType = new(storage.DefaultContentType)
	left := metadataBytes - ownBytes
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		value := kept[name][0]
		field, isNative := n.field(name)
		origin, isOrigin := strings.CutPrefix(name, originPrefix)
		origin = strings.ToLower(origin)
		cost := len(originPrefix) + len(origin) + len(value)
		switch {
		case !isPlain(value):
			all = false
		case isNative: // and short: see storage.KeptHeader
			*field = &value
		case name == "Last-Modified" && len(value) <= len(http.TimeFormat)+10:
			metadata[metaLastModified] = value
		case isOrigin && origin != "" && cost <= left:
			metadata[origin] = value
			left -= cost
		default:
			all = false
		}
	}
	return n, metadata, all
}

func (n *natives) field(name string) (field **string, ok bool) {
	switch name {
	case "Content-Type":
		return &n.contentType, true
	case "Content-Encoding":
		return &n.contentEncoding, true
	case "Content-Disposition":
		return &n.contentDisposition, true
	case "Content-Language":
		return &n.contentLanguage, true
	case "Cache-Control":
		return &n.cacheControl, true
	}
	return nil, false
}

// join is the reverse of split: the headers that can be told without a sidecar.
func join(n natives, metadata map[string]string) http.Header {
	header := make(http.Header)
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control"} {
		if field, _ := n.field(name); *field != nil && **field != "" {
			header.Set(name, **field)
		}
	}
	for name, value := range metadata {
		if name == metaLastModified {
			header.Set("Last-Modified", value)
		}
		header.Set(originPrefix+name, value)
	}
	return storage.KeptHeader(header) // which leaves our own metadata out
}

// isPlain reports whether S3 gives a value back as it was: printable ASCII, not
// empty, without spaces around it.
func isPlain(value string) bool {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return value != "" && strings.TrimSpace(value) == value
}

// own returns our metadata of an upload.
func (u *upload) own() map[string]string {
	m := map[string]string{
		metaID:         u.id,
		metaStoredAt:   u.storedAt.UTC().Format(time.RFC3339Nano),
		metaSourceHash: hexSHA256(u.options.Source),
	}
	if !u.options.ExpiresAt.IsZero() {
		m[metaExpiresAt] = u.options.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	if u.needsSidecar {
		m[metaSidecar] = "1"
	}
	if u.sha256 != "" {
		m[metaSHA256] = u.sha256
	}
	return m
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
