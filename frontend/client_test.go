package frontend_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/frontend"
)

// The audit log tells whom a front end takes for the client.
func TestClientAddress(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	w := newWorld(t, func(o *frontend.Options) {
		o.Logger = zap.New(core)
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, test := range []struct {
		name, from string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:1234", nil, "192.0.2.1"},
		{"a stranger's header", "192.0.2.1:1234", []string{"198.51.100.1"}, "192.0.2.1"},
		{"a proxy", "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a proxy that says nothing", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"an address that the client invented", "10.0.0.1:1234", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1234", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two header lines", "10.0.0.1:1234", []string{"127.0.0.1", "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"only proxies", "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage", "10.0.0.1:1234", []string{"198.51.100.1, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"an empty element", "10.0.0.1:1234", []string{"198.51.100.1,,"}, "10.0.0.1"},
		{"with a port", "10.0.0.1:1234", []string{"198.51.100.1:99"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "[fd00::1]:1234", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"an IPv4 proxy seen through IPv6", "[::ffff:10.0.0.1]:1234", []string{"198.51.100.1"}, "198.51.100.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodDelete, purgePath("*"), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			r.RemoteAddr = test.from
			for _, line := range test.forwarded {
				r.Header.Add("X-Forwarded-For", line)
			}
			w.do(r)
			entries := logs.TakeAll()
			if got := entries[len(entries)-1].ContextMap()["operator"]; got != test.want {
				t.Errorf("the operator is %v, want %v", got, test.want)
			}
		})
	}
}
