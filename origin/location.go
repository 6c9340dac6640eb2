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
// decides, and what it refuses is a permanent failure of CodeRedirectNotAllowed.
//
// A segment that a literal ".." takes away must be canonical, too: of `/a/\b/..`
// and `/a/%2e%2e/..` clients take away one segment or two.
func redirectTarget(base cloudmirror.Object, locations []string) (cloudmirror.Object, error) {
	if len(slices.Compact(slices.Clone(locations))) > 1 {
		return cloudmirror.Object{}, badRedirect("the origin redirects to several places at once")
	}
	joined := escape(join(base.URL(), locations[0]))
	if _, err := parseHop(removeDotSegments(joined, false)); err != nil {
		return cloudmirror.Object{}, err
	}
	return parseHop(removeDotSegments(joined, true))
}

// parseHop returns the object of a URL without literal dot segments.
func parseHop(url string) (cloudmirror.Object, error) {
	target, err := cloudmirror.ParseObject(url)
	if err != nil { // its text does not repeat the URL
		return target, badRedirect(badTarget + err.Error())
	}
	return target, nil
}

func badRedirect(message string) *cloudmirror.Failure {
	return &cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Message: message, Permanent: true}
}

// join joins a reference to a canonical base URL (RFC 3986, section 5.2.2), and
// leaves dot segments in the path.
func join(base, reference string) string {
	scheme, rest, _ := strings.Cut(base, ":")
	path, _, _ := strings.Cut(rest, "?")
	authority := rest[:2+strings.IndexByte(rest[2:], '/')]
	switch {
	case hasScheme(reference):
		return reference
	case strings.HasPrefix(reference, "//"):
		return scheme + ":" + reference
	case strings.HasPrefix(reference, "/"):
		return scheme + ":" + authority + reference
	case reference == "", reference[0] == '#':
		return base
	case reference[0] == '?':
		return scheme + ":" + path + reference
	}
	directory := path[:strings.LastIndexByte(path, '/')+1]
	return scheme + ":" + directory + reference
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

// removeDotSegments removes the literal dot segments from the path of a URL, if it
// has an authority and a path, and leaves the rest alone. Each ".." takes the
// segment before it away (RFC 3986, section 5.2.4), or only itself.
func removeDotSegments(url string, takesAway bool) string {
	_, path, _ := strings.Cut(url, "://")
	i := strings.IndexAny(path, "/?#")
	if i < 0 || path[i] != '/' {
		return url
	}
	path = path[i:]
	before, rest := url[:len(url)-len(path)], ""
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path, rest = path[:i], path[i:]
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, segment := range segments {
		isLast := i == len(segments)-1
		switch segment {
		case ".":
		case "..":
			if takesAway {
				kept = kept[:max(len(kept)-1, 0)]
			}
		default:
			kept = append(kept, segment)
			continue
		}
		if isLast {
			kept = append(kept, "")
		}
	}
	return before + "/" + strings.Join(kept, "/") + rest
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
