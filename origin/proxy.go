package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"cloudmirror"
)

// useProxy has a transport connect by way of the proxy alone, which itself is
// connected to whatever the rules say of its address. No name is resolved here.
func (o Options) useProxy(t *http.Transport) {
	proxy := *o.Proxy
	isTLS := proxy.Scheme == "https"
	if isTLS {
		// To net/http it is one of plain HTTP: it would offer HTTP/2 to the proxy
		// as it does to origins, and not understand its answers then.
		proxy.Scheme = "http"
		if proxy.Port() == "" {
			proxy.Host = net.JoinHostPort(proxy.Hostname(), "443")
		}
	}
	t.Proxy = http.ProxyURL(&proxy)
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, Resolver: o.Resolver}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err == nil && isTLS {
			conn, err = o.secure(ctx, conn, proxy.Hostname())
		}
		if err != nil {
			return nil, &dialError{err: fmt.Errorf("connect to the proxy: %w", err)}
		}
		return conn, nil
	}
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		return proxyRefusal(answer)
	}
}

// secure makes a TLS connection to the proxy of one that it takes over.
func (o Options) secure(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.TLSTimeout)
	defer cancel()
	secured := tls.Client(conn, &tls.Config{
		ServerName: host, RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

func proxyRefusal(answer *http.Response) error {
	return &dialError{err: fmt.Errorf("the proxy answered %s", statusText(answer.StatusCode))}
}

// checkProxied judges what a proxy is asked to connect to by what the URL says
// literally, beyond Check: the process's own addresses, and the names that stand
// for the loopback address everywhere (RFC 6761, section 6.3).
func (c *Client) checkProxied(rules Rules, obj cloudmirror.Object) error {
	host, port := hostPort(obj)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return nil //nolint:nilerr // a name, which the proxy resolves
	}
	target := netip.AddrPortFrom(address, port)
	if err := newGuard(rules.AllowAddresses).check(address); err != nil {
		return notAllowed(forbiddenAddressMessage, err)
	}
	if isOwn(c.options.Listeners(), target) {
		return notAllowed(forbiddenAddressMessage, ownListenerError(target))
	}
	return nil
}
