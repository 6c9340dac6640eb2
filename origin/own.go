package origin

import (
	"net"
	"net/netip"
)

// isOwn reports whether a connection to target would come to one of the
// listeners of this process: a copy would then be made of what it serves itself.
// A listener on an unspecified address answers at every address of the host; and
// a connection to an unspecified address is one to this host.
func isOwn(listeners []netip.AddrPort, target netip.AddrPort) bool {
	to := unwrap(target.Addr())
	for _, listener := range listeners {
		at := listener.Addr().Unmap().WithZone("")
		switch {
		case listener.Port() != target.Port():
		case at == to, to.IsUnspecified():
			return true
		case at.IsUnspecified() && isOfThisHost(to):
			return true
		}
	}
	return false
}

// isOfThisHost reports whether the host itself has an address. If the addresses
// cannot be listed, any may be.
func isOfThisHost(address netip.Addr) bool {
	if address.IsLoopback() {
		return true
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, i := range interfaces {
		if p, err := netip.ParsePrefix(i.String()); err == nil && p.Addr().Unmap().WithZone("") == address {
			return true
		}
	}
	return false
}
