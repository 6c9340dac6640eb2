package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"
)

// A guard judges the addresses that connections go to. The IANA special-purpose
// registries decide, and everything outside of IPv6 global unicast is refused,
// except for the service's own prefixes.
type guard struct {
	allowed []netip.Prefix
	special *ssrf.Guardian
}

// newGuard returns a guard that lets the allowed prefixes through.
func newGuard(allowed []netip.Prefix) guard {
	g := guard{special: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(
		// The host agent of Azure's virtual machines, at an address that is
		// public by its number alone.
		netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32),
	))}
	for _, p := range allowed {
		g.allowed = append(g.allowed, unmapPrefix(p))
	}
	return g
}

// key tells guards apart that let other addresses through.
func (g guard) key() string {
	texts := make([]string, len(g.allowed))
	for i, p := range g.allowed {
		texts[i] = p.String()
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), " ")
}

// check returns an error for an address that no connection may go to. An
// address that embeds an IPv4 address is judged by that one.
func (g guard) check(address netip.Addr) error {
	if address.Zone() != "" {
		return errors.New("addresses with a zone are not allowed")
	}
	if g.letsThrough(address.Unmap()) {
		return nil
	}
	address = unwrap(address)
	if g.letsThrough(address) {
		return nil
	}
	if err := g.special.SafeAddr(address); err != nil {
		return fmt.Errorf("address guard: %w", err)
	}
	if tunnelled, ok := isatap(address); ok {
		return g.check(tunnelled)
	}
	return nil
}

func (g guard) letsThrough(address netip.Addr) bool {
	return slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(address) })
}

// unwrap returns the IPv4 address to which packets for an IPv6 address go in the
// end: IPv4-mapped ones, and those of NAT64 (RFC 6052), which DNS64 makes of
// IPv4 addresses where there is no other way to them. Other addresses are
// returned as they are.
func unwrap(address netip.Addr) netip.Addr {
	address = address.Unmap()
	if ssrf.IPv6NAT64Prefix.Contains(address) {
		bytes := address.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return address
}

// isatap returns the IPv4 address to which hosts with an ISATAP interface send
// packets for an IPv6 address, whatever its prefix is (RFC 5214, section 6.1).
func isatap(address netip.Addr) (netip.Addr, bool) {
	bytes := address.As16()
	isInterface := bytes[8]&^2 == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe
	return netip.AddrFrom4([4]byte(bytes[12:])), isInterface && address.Is6()
}

// unmapPrefix returns the IPv4 form of a prefix of IPv4-mapped addresses.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
