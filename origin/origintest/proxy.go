package origintest

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
)

// What a Proxy asks its clients for.
const (
	ProxyUser     = "user"
	ProxyPassword = "hush-hush" //nolint:gosec // of tests
)

// A Proxy forwards everything to one address, whatever it is asked for: names
// mean what the proxy takes them for.
type Proxy struct {
	URL         *url.URL // with the user and the password
	Certificate *x509.Certificate

	to    string
	mu    sync.Mutex
	asked []string
	conns map[net.Conn]bool
	wait  sync.WaitGroup
}

// StartProxy returns a proxy of a scheme, http, https or socks5, that forwards to
// an address until the test ends.
func StartProxy(t testing.TB, scheme, to string) *Proxy {
	t.Helper()
	p := &Proxy{to: to, conns: make(map[net.Conn]bool)}
	var address string
	switch scheme {
	case "socks5":
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = listener.Addr().String()
		p.wait.Go(func() { p.serveSOCKS(listener) })
		t.Cleanup(func() {
			listener.Close()
			p.close()
		})
	default:
		server := httptest.NewUnstartedServer(p)
		server.EnableHTTP2 = true
		if scheme == "https" {
			server.StartTLS()
			p.Certificate = server.Certificate()
		} else {
			server.Start()
		}
		address = server.Listener.Addr().String()
		t.Cleanup(func() {
			p.close()
			server.Close()
		})
	}
	p.URL = &url.URL{Scheme: scheme, Host: address, User: url.UserPassword(ProxyUser, ProxyPassword)}
	return p
}

// Asked returns what the proxy was asked for: "GET http://host/path", or
// "CONNECT host:port".
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func (p *Proxy) note(asked string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, asked)
}

// keep has a connection closed with the proxy.
func (p *Proxy) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[conn] = true
}

// close ends what is under way.
func (p *Proxy) close() {
	p.mu.Lock()
	for conn := range p.conns {
		conn.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// ServeHTTP implements http.Handler, for proxies of HTTP.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	if user, password, _ := request.BasicAuth(); user != ProxyUser || password != ProxyPassword {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	p.note(r.Method + " " + r.RequestURI)
	if r.Method != http.MethodConnect {
		transport := &http.Transport{
			DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, p.to)
			},
		}
		(&httputil.ReverseProxy{Transport: transport, Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
		return
	}
	upstream, err := new(net.Dialer).DialContext(r.Context(), "tcp", p.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(fmt.Sprintf("origintest: tunnels need HTTP/1: %v", err))
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
	p.tunnel(conn, stream.Reader, upstream)
}

// tunnel passes bytes on until either side closes.
func (p *Proxy) tunnel(conn net.Conn, from io.Reader, upstream net.Conn) {
	p.keep(conn)
	p.keep(upstream)
	p.wait.Go(func() {
		_, _ = io.Copy(upstream, from)
		upstream.Close()
	})
	_, _ = io.Copy(conn, upstream)
	conn.Close()
}

func (p *Proxy) serveSOCKS(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		p.keep(conn)
		p.wait.Go(func() {
			defer conn.Close()
			stream := bufio.NewReader(conn)
			host, err := readSOCKS(conn, stream)
			if err != nil {
				return
			}
			p.note("CONNECT " + host)
			upstream, err := (&net.Dialer{}).Dial("tcp", p.to)
			if err != nil {
				return
			}
			if _, err := conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err == nil {
				p.tunnel(conn, stream, upstream)
			}
		})
	}
}

// readSOCKS answers the greeting and returns what the client wants to connect to
// (RFC 1928, RFC 1929).
func readSOCKS(w io.Writer, r *bufio.Reader) (string, error) {
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	read(int(read(2)[1])) // the methods
	_, _ = w.Write([]byte{5, 2})
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	if user != ProxyUser || password != ProxyPassword {
		_, _ = w.Write([]byte{1, 1})
		return "", errors.New("not the password")
	}
	_, _ = w.Write([]byte{1, 0})
	var host string
	switch kind := read(4)[3]; kind {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	default:
		return "", fmt.Errorf("addresses of type %d", kind)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(2))))), nil
}
