package lab

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// A Server answers HTTP in this process until Close.
type Server struct {
	Address string // host and port

	server *http.Server
	done   chan struct{}
}

// Serve answers at an address with a handler.
func Serve(address string, h http.Handler) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Address: listener.Addr().String(), done: make(chan struct{}),
		server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second},
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // until Close
	}()
	return s, nil
}

// Close breaks all connections and waits until no more are accepted.
func (s *Server) Close() {
	_ = s.server.Close()
	<-s.done
}

// NewProxy returns a handler that passes each request on to the server at the
// address, as signatures have it: with its Host. If that does not answer, the
// client's connection breaks.
func NewProxy(upstream string) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: upstream})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256, ExpectContinueTimeout: time.Second},
		// The server was killed, or the client left.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}
