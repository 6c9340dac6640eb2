package origintest

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"cloudmirror"
)

// A Server is an Origin that listens on a free port of the loopback address.
type Server struct {
	*Origin
	*httptest.Server
}

// Start returns a server of plain HTTP/1.1 that runs until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, (*httptest.Server).Start)
}

// StartTLS returns a server of HTTPS with HTTP/2. Its certificate is trusted by
// clients with the pool of its Certificate.
func StartTLS(t testing.TB) *Server {
	t.Helper()
	return start(t, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	})
}

func start(t testing.TB, listen func(*httptest.Server)) *Server {
	t.Helper()
	o := New()
	s := &Server{Origin: o, Server: httptest.NewUnstartedServer(o)}
	listen(s.Server)
	t.Cleanup(func() {
		s.CloseClientConnections() // who hangs or waits at a gate leaves
		s.Close()
	})
	return s
}

// Object returns the object of a path, which may have a query.
func (s *Server) Object(t testing.TB, pathAndQuery string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(s.URL + pathAndQuery)
	if err != nil {
		t.Fatalf("the URL of %s: %v", pathAndQuery, err)
	}
	return o
}

// Loopback returns the addresses that an origin here needs to be let through.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
