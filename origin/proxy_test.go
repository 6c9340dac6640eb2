package origin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// proxied returns a client that knows no way but the proxy, and no names.
func proxied(t testing.TB, proxy *origintest.Proxy, trusted ...*x509.Certificate) *origin.Client {
	t.Helper()
	certificates := x509.NewCertPool()
	for _, c := range append(trusted, proxy.Certificate) {
		if c != nil {
			certificates.AddCert(c)
		}
	}
	return newClient(t, origin.Options{
		Proxy: proxy.URL, RootCAs: certificates, DeploymentID: "deployment-1",
		Resolver: origintest.Resolver(func(string) []netip.Addr { return nil }),
	})
}

func TestEverythingGoesThroughTheProxy(t *testing.T) {
	plain, secure := origintest.Start(t), origintest.StartTLS(t)
	rules := origin.Rules{Allow: patterns(t, "^https?://")} // the proxy's own address is a loopback one
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			proxy := origintest.StartProxy(t, scheme, plain.Listener.Addr().String())
			body, _, err := fetch(t, proxied(t, proxy), rules, object(t, "http://name.test/a?size=1000&hops=1"))
			if err != nil || !bytes.Equal(body, origintest.Bytes("/a", 1000)) {
				t.Errorf("http: %d bytes, %v", len(body), err)
			}
			tunnels := origintest.StartProxy(t, scheme, secure.Listener.Addr().String())
			body, _, err = fetch(t, proxied(t, tunnels, secure.Certificate()), rules, object(t, "https://example.com/b?size=1000"))
			if err != nil || !bytes.Equal(body, origintest.Bytes("/b", 1000)) {
				t.Errorf("https: %d bytes, %v", len(body), err)
			}
			want := map[bool]string{true: "CONNECT name.test:80", false: "GET http://name.test/a?size=1000&hops=1"}[scheme == "socks5"]
			if asked := proxy.Asked(); len(asked) == 0 || asked[0] != want {
				t.Errorf("asked for %q, want %q first", asked, want)
			}
			if asked := tunnels.Asked(); !slices.Equal(asked, []string{"CONNECT example.com:443"}) {
				t.Errorf("asked for %q", asked)
			}
		})
	}
	for _, request := range slices.Concat(plain.Requests(), secure.Requests()) {
		if request.Header.Get("CDN-Loop") != "deployment-1" || request.Header.Get("Proxy-Authorization") != "" {
			t.Errorf("%s: header %v", request.Target, request.Header)
		}
	}
}

// What the URL says literally is judged with a proxy, too.
func TestAProxyIsNotAskedForForbiddenAddresses(t *testing.T) {
	server := origintest.Start(t)
	proxy := origintest.StartProxy(t, "http", server.Listener.Addr().String())
	c := newClient(t, origin.Options{
		Proxy:     proxy.URL,
		Listeners: func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("8.8.8.8:80")} },
	})
	rules := origin.Rules{Allow: patterns(t, `^https?://[^/]+/`), Ports: []uint16{80, 443}}
	for _, url := range []string{
		"http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "https://10.0.0.1/", "http://[64:ff9b::a00:1]/",
		"http://localhost/", "http://a.LOCALHOST./", "http://8.8.8.8/", "http://[::ffff:8.8.8.8]/", "http://name.test:22/",
	} {
		_, _, err := fetch(t, c, rules, object(t, url))
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	}
	server.Set("/a", origintest.Behaviour{Redirect: "http://169.254.169.254/latest/"})
	_, _, err := fetch(t, c, rules, object(t, "http://name.test/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	if asked := proxy.Asked(); !slices.Equal(asked, []string{"GET http://name.test/a"}) {
		t.Errorf("the proxy was asked for %q", asked)
	}
	rules.AllowAddresses = origintest.Loopback()
	if _, _, err := fetch(t, c, rules, object(t, "http://localhost/b")); err != nil {
		t.Errorf("the loopback address, which is let through: %v", err)
	}
}

func TestProxyRefusals(t *testing.T) {
	unreachable := cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable}
	rules := origin.Rules{Allow: patterns(t, "^https?://")}
	for _, scheme := range []string{"http", "socks5"} {
		proxy := origintest.StartProxy(t, scheme, "127.0.0.1:1") // where nobody listens
		wrong := *proxy.URL
		wrong.User = url.UserPassword("user", "wrong-secret")
		c := newClient(t, origin.Options{Proxy: &wrong})
		for _, target := range []string{"http://name.test/", "https://name.test/"} {
			_, _, err := fetch(t, c, rules, object(t, target))
			if f := wantFailure(t, err, unreachable); scheme == "http" && f.Message != "the origin cannot be reached" {
				t.Errorf("message %q", f.Message)
			}
			wantNoSecret(t, err, "wrong-secret")
		}
		_, _, err := fetch(t, newClient(t, origin.Options{Proxy: proxy.URL}), rules, object(t, "https://name.test/"))
		wantFailure(t, err, unreachable)
		wantNoSecret(t, err, origintest.ProxyPassword)
	}
	gone := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("user", "hush-hush")}
	_, _, err := fetch(t, newClient(t, origin.Options{Proxy: gone}), rules, object(t, "http://name.test/"))
	wantFailure(t, err, unreachable)
	wantNoSecret(t, err, "hush-hush")
}

// A 407 of an origin is one, if there is no proxy that could have said it.
func TestAnOriginMayAnswer407(t *testing.T) {
	server := origintest.Start(t)
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a?status=407"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: 407, Permanent: true})
}

func TestASilentProxyTimesOut(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, scheme := range []string{"http", "socks5"} {
		silent := &url.URL{Scheme: scheme, Host: listener.Addr().String()}
		c := newClient(t, origin.Options{
			Proxy: silent, ConnectTimeout: 20 * time.Millisecond, TLSTimeout: 20 * time.Millisecond, FirstByteTimeout: 20 * time.Millisecond,
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("the test's patience ended"))
		_, err := c.Get(ctx, origin.Rules{Allow: patterns(t, "^https?://")}, object(t, "https://name.test/"))
		wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout})
		if ctx.Err() != nil || strings.Contains(err.Error(), "patience") {
			t.Errorf("%s: only the test's deadline ended it: %v", scheme, err)
		}
		cancel()
	}
}

// Proxy answers with a header, and connections through it are not kept for other
// rules than their own.
func TestProxiedConnectionsObeyTheRulesOfEachService(t *testing.T) {
	server := origintest.Start(t)
	proxy := origintest.StartProxy(t, "http", server.Listener.Addr().String())
	c := proxied(t, proxy)
	open := origin.Rules{Allow: patterns(t, "^https?://"), AllowAddresses: origintest.Loopback()}
	if _, _, err := fetch(t, c, open, object(t, "http://127.0.0.1/a")); err != nil {
		t.Fatal(err)
	}
	_, _, err := fetch(t, c, origin.Rules{Allow: patterns(t, "^https?://")}, object(t, "http://127.0.0.1/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
	if n := server.Count(http.MethodGet, "/a"); n != 1 {
		t.Errorf("%d requests", n)
	}
}
