package origin

import (
	"fmt"
	"slices"
	"strings"

	"cloudmirror"
)

// redirectTarget returns the object that the Location headers of an answer of
// base name. Origins write bytes there that belong percent-encoded, and dot
// segments, which are resolved as every client does; beyond that the canonical form
// decides. What it refuses, dot segments in other forms among it, which only some
// clients resolve, is a permanent failure of CodeRedirectNotAllowed.
func redirectTarget(base cloudmirror.Object, locations []string) (cloudmirror.Object, error) {
	if len(slices.Compact(slices.Clone(locations))) > 1 {
		return cloudmirror.Object{}, badRedirect("the origin redirects to several places at once")
	}
	target, err := cloudmirror.ParseObject(escape(resolve(base.URL(), locations[0])))
	if err != nil { // whose text does not repeat the URL
		return cloudmirror.Object{}, badRedirect(badTarget + err.Error())
	}
	return target, nil
}

func badRedirect(message string) *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Message: message, Permanent: true}
}

// resolve joins a reference to a canonical base URL (RFC 3986, section 5.2.2).
func resolve(base, reference string) string {
	scheme, rest, _ := strings.Cut(base, ":")
	path, _, _ := strings.Cut(rest, "?")
	authority := rest[:2+strings.IndexByte(rest[2:], '/')]
	switch {
	case hasScheme(reference):
		return resolveAbsolute(reference)
	case strings.HasPrefix(reference, "//"):
		return resolveAbsolute(scheme + ":" + reference)
	case strings.HasPrefix(reference, "/"):
		return scheme + ":" + authority + removeDotSegments(reference)
	case reference == "", reference[0] == '#':
		return base
	case reference[0] == '?':
		return scheme + ":" + path + reference
	}
	directory := path[len(authority) : strings.LastIndexByte(path, '/')+1]
	return scheme + ":" + authority + removeDotSegments(directory+reference)
}

// resolveAbsolute removes the dot segments from the path of a reference with a
// scheme, if it has an authority and a path.
func resolveAbsolute(reference string) string {
	_, rest, _ := strings.Cut(reference, "://")
	i := strings.IndexAny(rest, "/?#")
	if i < 0 || rest[i] != '/' {
		return reference
	}
	i += len(reference) - len(rest)
	return reference[:i] + removeDotSegments(reference[i:])
}

// hasScheme reports whether a reference begins with a scheme (RFC 3986, section
// 3.1), and is absolute therefore.
func hasScheme(reference string) bool {
	i := strings.IndexAny(reference, ":/?#")
	if i <= 0 || reference[i] != ':' {
		return false
	}
	for j := range i {
		c := reference[j] | 0x20 // letters in lower case, digits and "+-." as they are
		isLetter := 'a' <= c && c <= 'z'
		if !isLetter && (j == 0 || strings.IndexByte("0123456789+-.", reference[j]) < 0) {
			return false
		}
	}
	return true
}

// removeDotSegments does what RFC 3986, section 5.2.4, says to the path of an
// absolute-path reference and leaves query and fragment alone.
func removeDotSegments(reference string) string {
	path, rest := reference, ""
	if i := strings.IndexAny(reference, "?#"); i >= 0 {
		path, rest = reference[:i], reference[i:]
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, segment := range segments {
		isLast := i == len(segments)-1
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
			continue
		}
		if isLast {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/") + rest
}

// escape percent-encodes the bytes behind the authority that origins send raw:
// those beyond ASCII, and the printable ones that RFC 3986 does not know. A
// backslash is left to be refused, for browsers read it as a slash.
func escape(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	start := len(url)
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		start = len(scheme) + len("://") + i
	}
	var b strings.Builder
	b.WriteString(url[:start])
	for i := start; i < len(url); i++ {
		if c := url[i]; c >= 0x80 || strings.IndexByte(" \"<>^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
