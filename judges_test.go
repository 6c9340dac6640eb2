package cloudmirror_test

import (
	"net/url"
	"path"
	"strings"
)

// A judge reads a path with its query as a consumer of URLs does, and returns the
// path that the consumer goes by; ok is false if it refuses.
type judge func(pathAndQuery string) (normal string, ok bool)

// judges are the consumers that allow patterns must not be at odds with.
func judges() map[string]judge {
	return map[string]judge{
		"nginx":    nginxPath,
		"browsers": browserPath,
		"net/url":  netURLPath,
		"Windows":  windowsPath,
		"servlets": servletPath,
		"servlets behind nginx": func(p string) (string, bool) {
			uri, ok := nginxPath(p)
			return cutParameters(uri), ok
		},
	}
}

// nginxPath is nginx's $uri, by which it selects locations and files: decoded,
// slashes merged and dot segments resolved, in one pass (merge_slashes is on by
// default). It refuses NUL, and what goes above the root.
func nginxPath(pathAndQuery string) (string, bool) {
	raw, _, _ := strings.Cut(pathAndQuery, "?")
	decoded, err := url.PathUnescape(raw)
	if err != nil || strings.IndexByte(decoded, 0) >= 0 {
		return "", false
	}
	return resolveSegments(decoded, false)
}

// resolveSegments resolves dot segments and merges slashes. Above the root it stays
// there or refuses.
func resolveSegments(decoded string, staysAtRoot bool) (string, bool) {
	segments := strings.Split(decoded, "/")[1:]
	var kept []string
	for i, segment := range segments {
		isLast := i == len(segments)-1
		switch segment {
		case "", ".":
		case "..":
			if len(kept) == 0 && !staysAtRoot {
				return "", false
			}
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
			continue
		}
		if isLast {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/"), true
}

// browserPath is the path state of the WHATWG URL standard's basic URL parser, for
// http and https: nothing is decoded, but some spellings of dots are known.
func browserPath(pathAndQuery string) (string, bool) {
	raw, _, _ := strings.Cut(pathAndQuery, "?")
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(raw)
	var kept []string
	segments := strings.Split(raw, "/")[1:]
	for i, segment := range segments {
		isLast := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
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
	return "/" + strings.Join(kept, "/"), true
}

// netURLPath is what net/http's ServeMux and FileServer make of a path. Python's
// http.server does the same.
func netURLPath(pathAndQuery string) (string, bool) {
	u, err := url.ParseRequestURI(pathAndQuery)
	if err != nil {
		return "", false
	}
	return cleanPath(u.Path), true
}

// windowsPath is netURLPath where a backslash separates the names of files, too.
func windowsPath(pathAndQuery string) (string, bool) {
	decoded, ok := netURLPath(pathAndQuery)
	return cleanPath(strings.ReplaceAll(decoded, `\`, "/")), ok
}

// cleanPath is path.Clean, with the last slash kept.
func cleanPath(p string) string {
	cleaned := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && cleaned != "/" {
		cleaned += "/"
	}
	return cleaned
}

// servletPath is what servlet containers such as Tomcat do: path parameters go
// first, then a path is decoded and resolved.
func servletPath(pathAndQuery string) (string, bool) {
	raw, _, _ := strings.Cut(pathAndQuery, "?")
	decoded, err := url.PathUnescape(cutParameters(raw))
	if err != nil {
		return "", false
	}
	return resolveSegments(strings.ReplaceAll(decoded, `\`, "/"), false)
}

// cutParameters cuts the segments of a path at their semicolons, and resolves it.
func cutParameters(raw string) string {
	segments := strings.Split(raw, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	resolved, _ := resolveSegments(strings.Join(segments, "/"), true)
	return resolved
}
