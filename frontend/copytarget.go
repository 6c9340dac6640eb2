package frontend

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/engine"
)

// A copyTarget is an object that a request names by its origin's URL, by the URL of
// this mirror, or by the address of a copy.
type copyTarget struct {
	target
	address    string                 // as it was given; of a copy's address, without its query
	generation cloudmirror.Generation // of the copy whose address was given, or ""
	isOperator bool
	asked      []cloudmirror.Option // of the redirect whose URL was given
}

// parseCopyTarget is parseTarget with URLs of old releases, and with any address that leads to a
// copy of the service. A URL of another mirror, or of another service, is refused:
// read as an origin's URL it would name an object that the operator does not mean.
func (c *core) parseCopyTarget(r *http.Request, prefix string, isOperator bool, options ...string) (t copyTarget, refusal *answer) {
	t.isOperator = isOperator
	if t.target, refusal = c.parseTarget(r, prefix, cloudmirror.ParseLegacyTarget, options...); refusal != nil {
		return t, refusal
	}
	t.address = t.object.URL()
	own, isOwn := c.ownPath(r, t.object)
	m, isRedirects := cloudmirror.ParseRedirectURL(t.object.URL())
	object, generation, isCopys := cloudmirror.ParseCopyURL(t.object.URL())
	switch {
	case isRedirects && !isOwn:
		return t, refuse(foreignAddress(m.Server))
	case isRedirects:
		t.object, t.asked = m.Object, m.Options
		return t, refuseOtherService(t.service, m.Backend.Service)
	case isOwn:
		service, _, found := strings.Cut(strings.TrimPrefix(own, objectsPrefix), "/")
		if !found || !isCopys || !strings.HasPrefix(own, objectsPrefix) {
			return t, refuse(unreadableAddress())
		}
		refusal = refuseOtherService(t.service, service)
	case isCopys:
		if isCopys, refusal = c.isCopy(r, &t, object, generation); refusal != nil || !isCopys {
			return t, refusal
		}
	default:
		return t, nil
	}
	t.object, t.generation = object, generation
	t.address, _, _ = strings.Cut(t.address, "?") // where signatures are
	return t, refusal
}

func refuseOtherService(s *service, named string) *answer {
	if named == s.name {
		return nil
	}
	return refuse(invalidURL(fmt.Errorf("the URL is one of the service %.20q, and the request is about the service %s", named, s.name)))
}

// ownPath returns what an address of this server has behind the server's name and
// public_url's path, if that is the path of a redirect or of a copy. The server's
// names are that of public_url and the one by which it was asked.
func (c *core) ownPath(r *http.Request, o cloudmirror.Object) (path string, isOwn bool) {
	base, err := url.Parse(c.publicURL)
	if err != nil { // it was checked
		return "", false
	}
	scheme, rest, _ := strings.Cut(o.URL(), "://")
	for _, host := range []string{base.Host, r.Host} {
		own, err := cloudmirror.ParseObject(scheme + "://" + host + "/") // canonical as well
		if err != nil {
			continue
		}
		path, found := strings.CutPrefix(rest, own.Host())
		path = strings.TrimPrefix(path, strings.TrimSuffix(base.Path, "/"))
		if found && (strings.HasPrefix(path, api.RedirectPrefix) || strings.HasPrefix(path, objectsPrefix)) {
			return path, true
		}
	}
	return "", false
}

// isCopy reports whether an address that has the form of a copy's is one: if it is
// where the service redirects to, or if something is known of an object with the
// hash, which an operator has looked up in all regions. The answer says that it cannot
// be told.
func (c *core) isCopy(r *http.Request, t *copyTarget, o cloudmirror.Object, g cloudmirror.Generation) (bool, *answer) {
	given := plainAddress(t.object.URL())
	for _, b := range t.service.all() {
		link, err := c.engine.Link(r.Context(), engine.Want{Object: o, Backend: b.id}, g, http.MethodGet)
		if err == nil && plainAddress(link.URL) == given {
			return true, nil
		}
	}
	if !t.isOperator {
		return false, nil
	}
	var backends []cloudmirror.BackendID
	for _, b := range t.service.all() {
		backends = append(backends, b.id)
	}
	var failure error
	for _, p := range c.engine.Peek(r.Context(), o, backends) {
		if p.Err == nil && p.Entry.Known() {
			return true, nil
		}
		failure = errors.Join(failure, p.Err)
	}
	if failure != nil {
		return false, refuse(unavailable("The URL may be a copy's address or an origin's, which cannot be told while a region is down; give the URL that the copy was made of, or try again."))
	}
	return false, nil
}

// plainAddress returns an address without its scheme and query, percent-decoded:
// addresses of one copy that are written differently are alike.
func plainAddress(address string) string {
	address, _, _ = strings.Cut(address, "?")
	_, address, _ = strings.Cut(address, "://")
	if decoded, err := url.PathUnescape(address); err == nil {
		return decoded
	}
	return address
}
