package origin

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"time"

	"cloudmirror"
)

// Bounds of what a Client keeps open between requests.
const (
	maxTransports          = 64 // of different address rules
	maxIdleConns           = 32 // for each of them
	maxIdleConnsPerHost    = 4
	idleConnTimeout        = 30 * time.Second
	maxResponseHeaderBytes = 256 << 10
)

// A Client gets objects from their origins, for all services. It is safe for
// concurrent use. Make one with [New].
type Client struct {
	options Options

	mu sync.Mutex
	// Connections are reused only under the address rules that they were made
	// under.
	transports map[transportKey]*http.Transport
}

// New returns a client. It holds idle connections until Close.
func New(o Options) *Client {
	return &Client{options: o.withDefaults(), transports: make(map[transportKey]*http.Transport)}
}

// Close closes the idle connections. Bodies must have been closed before.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetTransports()
}

func (c *Client) forgetTransports() {
	for key, transport := range c.transports {
		transport.CloseIdleConnections()
		delete(c.transports, key)
	}
}

type transportKey struct {
	guard          string
	ownConnections bool
}

// transport returns the transport for the address rules of a guard. Requests with
// connections of their own get HTTP/1.1, where each that runs has one.
func (c *Client) transport(g guard, ownConnections bool) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := transportKey{g.key(), ownConnections}
	if transport, found := c.transports[key]; found {
		return transport
	}
	if len(c.transports) >= maxTransports {
		c.forgetTransports()
	}
	dialer := &dialer{guard: g, listeners: c.options.Listeners, timeout: c.options.ConnectTimeout, resolver: c.options.Resolver}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: c.options.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.options.TLSTimeout,
		ResponseHeaderTimeout:  c.options.FirstByteTimeout,
		DisableCompression:     true,
		ForceAttemptHTTP2:      !ownConnections,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
		// Proxy stays nil, so that the environment has no say.
	}
	if c.options.Proxy != nil {
		c.options.useProxy(transport)
	}
	c.transports[key] = transport
	return transport
}

// A Response is an origin's answer of status 200.
type Response struct {
	// Header is the header of the last hop, as the origin sent it.
	Header http.Header
	// SizeBytes is the length of the object, or -1 if the origin did not say.
	SizeBytes int64
	// FinalURL is the URL of the last hop. Its query may be a secret.
	FinalURL string
	// Body is the object's bytes, as the origin encodes them. Its Read returns
	// io.EOF only if the length, the service's limit and every digest that the
	// origin stated hold; else a *cloudmirror.Failure, and from then on always
	// the same. A connection that breaks is continued where it stopped, if the
	// origin has what is needed to be sure that the object is still the same: byte
	// ranges, and a strong ETag or, without any ETag, a Last-Modified that is a
	// minute past. An object that changes meanwhile is a failure. Read must not be called by two goroutines at
	// once, nor during Close. The caller closes it; that does not read the rest.
	Body io.ReadCloser

	body *body // the same
}

// Get asks the origin for obj and follows its redirects, under the rules. The
// request and the body live until ctx ends. Errors are *cloudmirror.Failure, or
// what Rules.Enter returned.
func (c *Client) Get(ctx context.Context, rules Rules, obj cloudmirror.Object) (*Response, error) {
	e := exchange{client: c, rules: rules, asked: obj, object: obj, trail: new(trail)}
	s, err := e.open(ctx, nil)
	if err != nil {
		return nil, e.hide(err)
	}
	body, failure := newBody(ctx, e, s)
	if failure != nil {
		s.close()
		return nil, e.hide(failure)
	}
	return &Response{
		Header:    s.response.Header,
		SizeBytes: s.response.ContentLength,
		FinalURL:  s.object.URL(),
		Body:      body,
		body:      body,
	}, nil
}
