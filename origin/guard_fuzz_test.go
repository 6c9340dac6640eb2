package origin

import (
	"net/netip"
	"testing"

	"cloudmirror"
)

// FuzzGuard holds what must be true of every address: its forms with IPv4 in them
// are judged alike, nothing outside of global unicast passes, and a URL that is
// written with it is judged like a name that resolves to it.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		"::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "::ffff:10.0.0.1", "2606:4700::1111", "2606:4700::5efe:a00:1", "2002:7f00:1::", "fe80::5efe:808:808", "::808:808", "1fff:ffff::", "4000::", "2001:200::",
	} {
		bytes := netip.MustParseAddr(seed).As16()
		f.Add(bytes[:])
	}
	g := newGuard(nil)
	passes := func(address netip.Addr) bool { return g.check(address) == nil }
	unicast := netip.MustParsePrefix("2000::/3")
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != 16 {
			return
		}
		six := netip.AddrFrom16([16]byte(data))
		four := netip.AddrFrom4([4]byte(data[12:]))
		mapped := netip.AddrFrom16(four.As16())
		translated := netip.MustParseAddr("64:ff9b::").As16()
		tunnelled := netip.MustParseAddr("2606:4700::5efe:0:0").As16()
		copy(translated[12:], data[12:])
		copy(tunnelled[12:], data[12:])
		for _, form := range []netip.Addr{mapped, netip.AddrFrom16(translated), netip.AddrFrom16(tunnelled)} {
			if passes(form) != passes(four) {
				t.Errorf("%s passes: %t, %s: %t", form, passes(form), four, passes(four))
			}
		}
		if passes(six) && !unicast.Contains(six) && unwrap(six) == six {
			t.Errorf("%s passes", six)
		}
		if passes(four) && (four.IsPrivate() || four.IsLoopback() || four.IsLinkLocalUnicast() || four.IsMulticast() || four.IsUnspecified()) {
			t.Errorf("%s passes", four)
		}
		for _, address := range []netip.Addr{six, four} {
			o, err := cloudmirror.ParseObject("http://" + netip.AddrPortFrom(address, 80).String() + "/")
			if err != nil {
				t.Fatal(err)
			}
			pattern, err := cloudmirror.ParseAllowPattern("^http://")
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(Rules{Allow: []cloudmirror.AllowPattern{pattern}}, o); (err == nil) != passes(address) {
				t.Errorf("%s: %v, and it passes: %t", o, err, passes(address))
			}
		}
	})
}
