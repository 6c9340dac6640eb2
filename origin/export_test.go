package origin

import (
	"net/netip"
	"time"
)

// Transports returns how many transports the client keeps.
func (c *Client) Transports() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.transports)
}

// Control is what is asked before each connection to an address and port.
func Control(allowed []netip.Prefix, target string) error {
	d := &dialer{guard: newGuard(allowed), listeners: func() []netip.AddrPort { return nil }, timeout: time.Second}
	network := "tcp6"
	if netip.MustParseAddrPort(target).Addr().Is4() {
		network = "tcp4"
	}
	return d.control(network, target)
}
