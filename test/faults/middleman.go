package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"sync/atomic"

	"cloudmirror/test/lab"
)

// A middleman stands before a server of HTTP and does what a proxy of plain
// connections cannot. It passes everything on until it is told otherwise.
type middleman struct {
	*lab.Server
	proxy  *httputil.ReverseProxy
	change atomic.Pointer[http.HandlerFunc]
	flip   atomic.Bool // the first byte of each body of a GET
}

func startMiddleman(address, upstream string) (m *middleman, err error) {
	m = &middleman{proxy: lab.NewProxy(upstream)}
	m.proxy.ModifyResponse = m.modify
	m.Server, err = lab.Serve(address, m)
	return m, err
}

// instead lets a handler decide about each request from now on; nil: none. It
// may pass requests on to m.proxy.
func (m *middleman) instead(h http.HandlerFunc) {
	if h == nil {
		m.change.Store(nil)
		return
	}
	m.change.Store(&h)
}

// ServeHTTP implements http.Handler.
func (m *middleman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := m.change.Load(); h != nil {
		(*h)(w, r)
		return
	}
	m.proxy.ServeHTTP(w, r)
}

func (m *middleman) modify(r *http.Response) error {
	if m.flip.Load() && r.Request.Method == http.MethodGet && r.StatusCode == http.StatusOK {
		r.Body = &flipped{ReadCloser: r.Body}
	}
	return nil
}

// Flipped is a body whose first byte is wrong.
type flipped struct {
	io.ReadCloser
	done bool
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 && !f.done {
		p[0] ^= 1
		f.done = true
	}
	return n, err
}

// slowDown answers as S3 does when it has too much to do.
func slowDown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method != http.MethodHead {
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
	}
}
