package cloudmirror

import (
	"net/url"
	"strings"
)

// RedirectPrefix begins the paths at which front ends redirect to copies.
const RedirectPrefix = "/v1/redirect/"

// A RedirectURL is a URL by which clients ask a front end for an object; [Object.RedirectURL]
// makes it.
type RedirectURL struct {
	Server  string // what stands before /v1/redirect/, canonical: https://mirror.example.com
	Backend BackendID
	Object  Object
	Options []Option // of the target, in their order
}

// ParseRedirectURL reads a URL that has the form of a [RedirectURL], with its target in
// any form that [ParseLegacyTarget] reads; the target's file name does not count.
// It does not say which server's URL it is. Found is false if the URL has
// another form: then it may be that of an origin.
func ParseRedirectURL(raw string) (m RedirectURL, found bool) {
	asked, err := ParseLegacyObject(raw)
	if err != nil {
		return m, false
	}
	server, rest, found := strings.Cut(asked.url, RedirectPrefix)
	if !found || strings.ContainsRune(server, '?') {
		return m, false
	}
	service, rest, _ := strings.Cut(rest, "/")
	region, rest, found := strings.Cut(rest, "/")
	m.Server, m.Backend = server, BackendID{Service: service, Region: region}
	if !found || m.Backend.Check() != nil {
		return m, false
	}
	t, err := ParseLegacyTarget(rest)
	m.Object, m.Options = t.Object, t.Options
	return m, err == nil
}

// ParseCopyURL finds a copy's key at the end of an address:
// <anything>/<hash>/<generation>/<file name>, percent-encoded or not, with or
// without a query. The object is one whose URL is not known: it has keys, a hash and
// a file name, is no origin, and nothing can be copied for it. Found is false if the
// address has another form. One of an origin may have this form by chance.
func ParseCopyURL(address string) (o Object, g Generation, found bool) {
	path, _, _ := strings.Cut(address, "?")
	path, _, _ = strings.Cut(path, "#")
	segments := strings.Split(path, "/")
	if len(segments) < 3 {
		return o, "", false
	}
	last := segments[len(segments)-3:]
	name, err := url.PathUnescape(last[2])
	if err != nil || name == "" || name != safeFileName(name) || !isHash(last[0]) {
		return o, "", false
	}
	if g, err = ParseGeneration(last[1]); err != nil {
		return o, "", false
	}
	return Object{hash: last[0], name: name}, g, true
}

func isHash(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 64
}
