package origin_test

import (
	"crypto/x509"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func pool(s *origintest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	if certificate := s.Certificate(); certificate != nil { // none without TLS
		p.AddCert(certificate)
	}
	return p
}

func port(t testing.TB, s *origintest.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestCheck(t *testing.T) {
	rules := origin.Rules{
		Allow:          patterns(t, `^https://good\.example\.com/`, `^http://[^/]+/pub/`),
		AllowAddresses: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::ffff:10.2.0.0/112")},
		Ports:          []uint16{80, 443, 8080},
	}
	tests := map[string]struct {
		url     string
		allowed bool
	}{
		"matches a pattern":                      {"https://good.example.com/a", true},
		"matches no pattern":                     {"https://good.example.com.evil.test/a", false},
		"other scheme":                           {"http://good.example.com/a", false},
		"allowed port":                           {"http://h:8080/pub/a", true},
		"port that is not allowed":               {"http://h:22/pub/a", false},
		"default port of http":                   {"http://h/pub/a", true},
		"public address":                         {"http://1.1.1.1/pub/a", true},
		"public IPv6 address":                    {"http://[2606:4700::1111]/pub/a", true},
		"loopback":                               {"http://127.0.0.1/pub/a", false},
		"loopback, IPv6":                         {"http://[::1]/pub/a", false},
		"loopback, IPv4-mapped":                  {"http://[::ffff:127.0.0.1]/pub/a", false},
		"address let through":                    {"http://10.1.2.3/pub/a", true},
		"address let through, IPv4-mapped":       {"http://[::ffff:10.1.2.3]/pub/a", true},
		"address of a mapped prefix let through": {"http://10.2.2.3/pub/a", true},
		"address beside what is let through":     {"http://10.3.2.3/pub/a", false},
		"port behind IPv6":                       {"http://[2606:4700::1111]:8080/pub/a", true},
		"forbidden port behind IPv6":             {"http://[2606:4700::1111]:8081/pub/a", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := origin.Check(rules, object(t, test.url))
			if test.allowed {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
		})
	}
	https := origin.Rules{Allow: patterns(t, "^https://"), Ports: []uint16{443}}
	if err := origin.Check(https, object(t, "https://h/")); err != nil {
		t.Errorf("the default port of https: %v", err)
	}
	https.Ports[0] = 80
	if err := origin.Check(https, object(t, "https://h/")); err == nil {
		t.Error("https goes to port 443, and only port 80 is allowed")
	}
	if err := origin.Check(origin.Rules{}, object(t, "https://h/")); err == nil {
		t.Error("rules without a pattern allow something")
	}
}

// forbidden lists one address, as a rule, of each kind that no origin has.
var forbidden = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
	"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
	"198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"168.63.129.16",
	"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
	"64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
	"3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
}

func TestForbiddenAddressesAreRefusedBeforeDialling(t *testing.T) {
	for _, text := range forbidden {
		t.Run(text, func(t *testing.T) {
			address := netip.MustParseAddr(text)
			host := text
			if address.Is6() {
				host = "[" + text + "]"
			}
			rules := origin.Rules{Allow: patterns(t, "^http://")}
			literal := origin.Check(rules, object(t, "http://"+host+"/"))
			f := wantFailure(t, literal, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})

			c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr { return []netip.Addr{address} })})
			_, _, err := fetch(t, c, rules, object(t, "http://name.test/"))
			g := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
			if f.Message != g.Message {
				t.Errorf("a literal address is answered %q, a name %q", f.Message, g.Message)
			}
		})
	}
}

func TestPublicAddressesPass(t *testing.T) {
	rules := origin.Rules{Allow: patterns(t, "^http://")}
	for _, host := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "223.255.255.255", "[2606:4700::1111]", "[2a00:1450::1]", "[64:ff9b::808:808]"} {
		if err := origin.Check(rules, object(t, "http://"+host+"/")); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestNameServerCannotRebind(t *testing.T) {
	server := origintest.Start(t)
	var lookups atomic.Int32
	c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr {
		lookups.Add(1)
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	})})
	// The first address would be allowed; the one that the name has when it is
	// dialled is judged.
	rules := anywhere(t)
	rules.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	_, _, err := fetch(t, c, rules, object(t, "http://name.test:"+port(t, server)+"/"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	if lookups.Load() == 0 {
		t.Error("the name was never looked up")
	}
}

func TestAllowedAddressBesideForbiddenOneIsUsed(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	})})
	rules := anywhere(t)
	rules.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if _, _, err := fetch(t, c, rules, object(t, "http://name.test:"+port(t, server)+"/")); err != nil {
		t.Error(err)
	}
}

func TestUnreachableOriginIsTransient(t *testing.T) {
	c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(host string) []netip.Addr {
		if host == "missing.test" {
			return nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})})
	for _, url := range []string{"http://missing.test/?secret=1", "http://refuses.test:1/?secret=1"} {
		_, _, err := fetch(t, c, anywhere(t), object(t, url))
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable})
		wantNoSecret(t, err, "secret")
	}
}

func TestUntrustedCertificateIsPermanent(t *testing.T) {
	server := origintest.StartTLS(t)
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Permanent: true})
}
