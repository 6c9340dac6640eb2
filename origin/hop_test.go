package origin_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// A nameServer resolves every name to 127.0.0.1 and notes who was asked for.
type nameServer struct {
	mu    sync.Mutex
	asked []string
}

func (n *nameServer) resolve(host string) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host)
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
}

func (n *nameServer) wasAsked(host string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.asked, host)
}

// Patterns and ports come before addresses: what they refuse is not resolved, and
// has a code of its own on a hop.
func TestNothingOutsideThePatternsIsResolved(t *testing.T) {
	server := origintest.Start(t)
	names := new(nameServer)
	c := newClient(t, origin.Options{Resolver: origintest.Resolver(names.resolve)})
	rules := origin.Rules{Allow: patterns(t, `^http://(127\.0\.0\.1|(www\.)?good\.test|10\.0\.0\.1)(:[0-9]+)?/`), AllowAddresses: origintest.Loopback()}
	for name, test := range map[string]struct {
		location string
		ports    bool // those of the server alone
		want     cloudmirror.Code
		resolved bool
	}{
		"a host outside the patterns":             {"http://evil.test/", false, cloudmirror.CodeRedirectNotAllowed, false},
		"a scheme outside the patterns":           {"https://good.test/", false, cloudmirror.CodeRedirectNotAllowed, false},
		"a port outside the ports":                {"http://good.test:81/", true, cloudmirror.CodeRedirectNotAllowed, false},
		"an address outside the patterns":         {"http://169.254.169.254/", false, cloudmirror.CodeRedirectNotAllowed, false},
		"an address outside the ports":            {"http://10.0.0.1:81/", true, cloudmirror.CodeRedirectNotAllowed, false},
		"a forbidden address within the patterns": {"http://10.0.0.1/", false, cloudmirror.CodeURLNotAllowed, false},
		"a name within the patterns":              {"http://www.good.test:1/", false, cloudmirror.CodeOriginUnreachable, true},
	} {
		t.Run(name, func(t *testing.T) {
			rules := rules
			if test.ports {
				rules.Ports = []uint16{netip.MustParseAddrPort(server.Listener.Addr().String()).Port()}
			}
			_, _, err := fetch(t, c, rules, server.Object(t, "/a?redirect="+test.location))
			wantFailure(t, err, cloudmirror.Failure{Code: test.want, Permanent: test.want != cloudmirror.CodeOriginUnreachable})
			host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(test.location, "http://"), "https://"), ":")
			if got := names.wasAsked(strings.TrimSuffix(host, "/")); got != test.resolved {
				t.Errorf("resolved: %t, want %t; all names: %q", got, test.resolved, names.asked)
			}
		})
	}
	// The URL that was asked for is no hop: a front end refuses it likewise.
	_, _, err := fetch(t, c, rules, object(t, "http://evil.test/"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	if names.wasAsked("evil.test") {
		t.Error("a URL outside the patterns was resolved")
	}
}

// A redirect without a target that a copier can follow is a hop outside the
// patterns; one without any Location is an answer like another.
func TestLocationsThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		locations []string
		want      cloudmirror.Failure
	}{
		"none":           {nil, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 302, Permanent: true}},
		"empty":          {[]string{""}, cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true}},
		"blank":          {[]string{"  "}, cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true}},
		"several, empty": {[]string{"", ""}, cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true}},
		"several":        {[]string{"/b", "/c"}, cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = test.locations
				w.WriteHeader(http.StatusFound)
			}))
			defer server.Close()
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), object(t, server.URL+"/a"))
			wantFailure(t, err, test.want)
		})
	}
}
