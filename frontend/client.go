package frontend

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the addresses whose word on their clients' addresses is taken.
type proxies []netip.Prefix

// client returns the address from which a request came: of the connection or, if
// that is a trusted proxy's, the last one in X-Forwarded-For that is not. What
// stands before it there is the client's own invention. An address that cannot
// be read is the zero Addr.
func (p proxies) client(r *http.Request) netip.Addr {
	address := readAddress(r.RemoteAddr)
	if len(p) == 0 || !p.trust(address) {
		return address
	}
	forwarded := strings.Join(r.Header["X-Forwarded-For"], ",")
	for forwarded != "" {
		i := strings.LastIndexByte(forwarded, ',')
		next := readAddress(strings.Trim(forwarded[i+1:], " \t"))
		if !next.IsValid() {
			return address // as far as it can be followed
		}
		address, forwarded = next, forwarded[:max(i, 0)]
		if !p.trust(address) {
			return address
		}
	}
	return address
}

func (p proxies) trust(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(known netip.Prefix) bool { return known.Contains(address) })
}

// readAddress reads an address that may have a port, and brackets, as proxies
// write it.
func readAddress(text string) netip.Addr {
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// A client is the sender of a request.
type client struct {
	request *http.Request
	proxies proxies
}

// client returns the sender of a request.
func (c *core) client(r *http.Request) client { return client{request: r, proxies: c.proxies} }

// network returns what counts as one client: an IPv4 address, and of IPv6, where
// each client has many, a network of 64 bits.
func (c client) network() netip.Prefix {
	address := c.proxies.client(c.request)
	bits := 32
	if address.Is6() {
		bits = 64
	}
	p, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of the zero Addr: all clients without a known address are one
	}
	return p
}
