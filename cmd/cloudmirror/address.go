package main

import (
	"errors"
	"fmt"
	"strings"

	"cloudmirror"
	"cloudmirror/api"
)

// completeFor is complete, but for a service and region that every argument names: a
// redirect's URL does, and the address of a copy that a front end serves.
func (t *target) completeFor(c *cli, args []string) error {
	if err := t.completeServer(c); err != nil {
		return err
	}
	t.flags = t.backend
	t.incomplete = t.completeBackend()
	if t.incomplete == nil {
		return nil
	}
	for _, arg := range args {
		if _, ok := t.backendIn(arg); !ok {
			return t.incomplete
		}
	}
	return nil
}

// backendIn returns the backend that an address of this server names.
func (t *target) backendIn(raw string) (b cloudmirror.BackendID, ok bool) {
	if m, ok := cloudmirror.ParseRedirectURL(raw); ok {
		return m.Backend, t.isServer(m.Server)
	}
	o, err := cloudmirror.ParseLegacyObject(raw)
	if err != nil {
		return b, false
	}
	server, rest, found := strings.Cut(o.URL(), "/objects/")
	service, rest, _ := strings.Cut(rest, "/")
	b.Service = service
	b.Region, _, _ = strings.Cut(rest, "/")
	return b, found && t.isServer(server) && b.Check() == nil
}

// backendOf returns the backend that a command is about for one argument: what flags
// say, then what its address names, then what the configuration has only one of.
func (t *target) backendOf(raw string) (cloudmirror.BackendID, error) {
	named, ok := t.backendIn(raw)
	b := t.flags
	switch {
	case !ok:
		return t.backend, t.incomplete
	case b.Service == "":
		b.Service = named.Service
	case b.Service != named.Service:
		return b, fmt.Errorf("the URL is one of the service %s, and --service says %s", named.Service, b.Service)
	}
	if b.Region == "" {
		b.Region = named.Region
	}
	return b, nil
}

// isServer reports whether an address begins with the server that is asked, or with
// the front end of the configuration. The scheme does not count: it may end at a
// balancer.
func (t *target) isServer(given string) bool {
	for _, server := range []string{t.server, t.loaded.ServerURL()} {
		if withoutScheme(server) == withoutScheme(given) {
			return true
		}
	}
	return false
}

// withoutScheme returns an address, canonical, without its scheme and query.
func withoutScheme(address string) string {
	address, _, _ = strings.Cut(address, "?")
	if o, err := cloudmirror.ParseObject(strings.TrimSuffix(address, "/") + "/"); err == nil {
		address = o.URL()
	}
	_, address, _ = strings.Cut(address, "://")
	return strings.TrimSuffix(address, "/")
}

// read returns the object that an argument names: by the origin's URL, or by a
// redirect's, which must be this server's. What may be a copy's address is read as
// the URL of an origin, for the server to judge.
func (t *target) read(raw string) (cloudmirror.Object, error) {
	if m, ok := cloudmirror.ParseRedirectURL(raw); ok {
		if !t.isServer(m.Server) {
			return cloudmirror.Object{}, fmt.Errorf("the URL is one of another mirror: --server %s asks that one, and `cloudmirror rewrite --decode` prints the origin's", m.Server)
		}
		return m.Object, nil
	}
	o, err := cloudmirror.ParseLegacyObject(raw)
	if server, _, found := strings.Cut(o.URL(), api.RedirectPrefix); err == nil && found && t.isServer(server) {
		return o, errors.New("the URL is one of this mirror, and no redirect's: give it whole, or the origin's")
	}
	return o, err
}

// isCopyAddress reports whether an address is below where the configuration says that
// copies are.
func (t *target) isCopyAddress(raw string) bool {
	if _, ok := t.backendIn(raw); ok {
		return true
	}
	for _, s := range t.loaded.Services {
		for _, b := range s.Backends {
			if base := b.Storage.PublicURL; base != "" && strings.HasPrefix(raw, base+"/") {
				return true
			}
		}
	}
	return false
}

// shownURL returns the URL of what was read from an argument; of what may be a copy's
// address, without the query, where signatures are.
func shownURL(o cloudmirror.Object) string {
	if _, _, isCopy := cloudmirror.ParseCopyURL(o.URL()); isCopy {
		shown, _, _ := strings.Cut(o.URL(), "?")
		return shown
	}
	return o.URL()
}
