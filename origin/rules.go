package origin

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cloudmirror"
)

// Rules say what one service may get, from where, and with which headers. All
// but Direct and the headers hold on every hop.
type Rules struct {
	// Allow lists the patterns of which a URL must match one. Empty: nothing is
	// allowed.
	Allow []cloudmirror.AllowPattern
	// Direct lists the patterns of URLs that are never copied: clients who ask for
	// one are sent to the origin. Redirects of origins may lead to them, so that
	// Check and Client.Get do not look at it; see IsDirect.
	Direct []cloudmirror.AllowPattern
	// AllowAddresses are let through the guard that otherwise refuses every
	// address that is not public.
	AllowAddresses []netip.Prefix
	// Ports lists the allowed ports. Empty: any port.
	Ports []uint16
	// MaxObjectBytes limits the size of an object. 0: no limit.
	MaxObjectBytes int64
	// Headers are sent in requests to the scheme, host and port of the URL that
	// was asked for, and to no other: a redirect elsewhere does not get them. The
	// values may be secrets, and stand in no error. Names are canonical, such as
	// "X-Api-Key". User-Agent and Accept replace ours; those that frame a message,
	// ask for a range or a content coding, or name us do not belong here.
	Headers map[string]string

	// Enter, unless it is nil, is called before each request, those that continue
	// a body or read a section of it included, with the URL of its hop, which the
	// rules allow. The request is made when it returns, and leave is called, once,
	// when the request and its body are over. If it fails nothing is sent, and its
	// error is what Get, or Read, returns or wraps. It may be called by several
	// goroutines at once.
	Enter func(ctx context.Context, hop cloudmirror.Object) (leave func(), err error)
}

// enter asks for leave to make a request.
func (r *Rules) enter(ctx context.Context, hop cloudmirror.Object) (leave func(), err error) {
	if r.Enter == nil {
		return func() {}, nil
	}
	leave, err = r.Enter(ctx, hop)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(leave), nil
}

// IsDirect reports whether obj, which a client asked for, is never copied.
func (r *Rules) IsDirect(obj cloudmirror.Object) bool { return matchesAny(r.Direct, obj) }

func matchesAny(patterns []cloudmirror.AllowPattern, obj cloudmirror.Object) bool {
	return slices.ContainsFunc(patterns, func(p cloudmirror.AllowPattern) bool { return p.Match(obj) })
}

// Check reports whether obj may be asked for under the rules: by its URL, its
// port and, if its host is an address, by that. It does not go to the network,
// so that a name may still turn out to resolve to a forbidden address. The error
// is a permanent *cloudmirror.Failure of CodeURLNotAllowed.
func Check(rules Rules, obj cloudmirror.Object) error {
	if failure := checkURL(rules, obj); failure != nil {
		return failure
	}
	if failure := checkLiteral(rules, obj); failure != nil {
		return failure
	}
	return nil
}

// checkURL is the part of Check about patterns and ports. It comes first: what it
// refuses is not looked at any further, nor resolved.
func checkURL(rules Rules, obj cloudmirror.Object) *cloudmirror.Failure {
	if !matchesAny(rules.Allow, obj) {
		return notAllowed("the URL is not allowed for this service", fmt.Errorf("%s matches no allow pattern", redacted(obj.URL())))
	}
	if _, port := hostPort(obj); len(rules.Ports) > 0 && !slices.Contains(rules.Ports, port) {
		return notAllowed("the URL's port is not allowed for this service", fmt.Errorf("port %d is not allowed", port))
	}
	return nil
}

// checkLiteral is the part of Check about a host that is an address.
func checkLiteral(rules Rules, obj cloudmirror.Object) *cloudmirror.Failure {
	host, _ := hostPort(obj)
	if !isAddress(host) {
		return nil
	}
	address, err := netip.ParseAddr(host)
	isLetThrough := func(p netip.Prefix) bool { return unmapPrefix(p).Contains(address.Unmap()) }
	if err == nil && !slices.ContainsFunc(rules.AllowAddresses, isLetThrough) { // spares most the guard
		err = newGuard(rules.AllowAddresses).check(address)
	}
	if err != nil {
		return notAllowed(forbiddenAddressMessage, err)
	}
	return nil
}

// isAddress reports whether a canonical host is an address: a name never ends in
// a numeric label, nor has a colon.
func isAddress(host string) bool {
	return isDigits(host[strings.LastIndexByte(host, '.')+1:]) || strings.Contains(host, ":")
}

// forbiddenAddressMessage is the one answer about forbidden addresses. It says
// nothing about what is behind them.
const forbiddenAddressMessage = "the URL leads to an address that is not allowed"

// hostPort returns the host, without brackets, and the port of a URL. The
// canonical form has either no port or one that is not the default.
func hostPort(obj cloudmirror.Object) (host string, port uint16) {
	scheme, rest, _ := strings.Cut(obj.URL(), "://")
	authority, _, _ := strings.Cut(rest, "/")
	port = 80
	if scheme == "https" {
		port = 443
	}
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host = authority[:i]
		if n, err := strconv.ParseUint(authority[i+1:], 10, 16); err == nil {
			port = uint16(n)
		}
	}
	return strings.Trim(host, "[]"), port
}
