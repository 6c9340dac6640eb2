package origin

import (
	"net"
	"net/netip"
	"testing"
)

func TestIsOwn(t *testing.T) {
	hosts := thisHost(t)
	tests := map[string]struct {
		listener, target string
		want             bool
	}{
		"the same":                            {"127.0.0.1:80", "127.0.0.1:80", true},
		"another port":                        {"127.0.0.1:80", "127.0.0.1:81", false},
		"another address":                     {"127.0.0.1:80", "127.0.0.2:80", false},
		"IPv4-mapped":                         {"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
		"the same by NAT64":                   {"127.0.0.1:80", "[64:ff9b::7f00:1]:80", true},
		"a listener that is IPv4-mapped":      {"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		"a listener with a zone":              {"[fe80::1%eth0]:80", "[fe80::1]:80", true},
		"to any address of this host":         {"127.0.0.1:80", "0.0.0.0:80", true},
		"to any address of this host, IPv6":   {"[::1]:80", "[::]:80", true},
		"any address, another port":           {"127.0.0.1:80", "0.0.0.0:81", false},
		"listens everywhere: loopback":        {"0.0.0.0:80", "127.9.9.9:80", true},
		"listens everywhere: loopback, IPv6":  {"[::]:80", "[::1]:80", true},
		"listens everywhere on both":          {"[::]:80", "127.0.0.1:80", true},
		"listens everywhere, another port":    {"[::]:80", "127.0.0.1:81", false},
		"listens everywhere, another host":    {"[::]:80", "192.0.2.1:80", false},
		"listens everywhere, an interface":    {"[::]:80", hosts + ":80", true},
		"listens elsewhere, on an interface":  {"127.0.0.1:80", hosts + ":80", false},
		"listens everywhere, by NAT64":        {"0.0.0.0:80", "[64:ff9b::7f00:1]:80", true},
		"listens everywhere, to unspecified":  {"0.0.0.0:80", "[::]:80", true},
		"another process, everywhere to here": {"192.0.2.1:80", "127.0.0.1:80", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			listeners := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:9"), netip.MustParseAddrPort(test.listener)}
			if got := isOwn(listeners, netip.MustParseAddrPort(test.target)); got != test.want {
				t.Errorf("listening at %s, connecting to %s: %t", test.listener, test.target, got)
			}
		})
	}
}

// thisHost returns an address of this host that is not the loopback's, or
// 127.0.0.3 if there is none.
func thisHost(t *testing.T) string {
	t.Helper()
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		p, err := netip.ParsePrefix(i.String())
		if err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			return p.Addr().String()
		}
	}
	return "127.0.0.3"
}
