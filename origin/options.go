package origin

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Options configure a [Client]. The zero value of each field is a default.
type Options struct {
	// UserAgent names us to origins. Empty: "cloudmirror".
	UserAgent string
	// DeploymentID is sent in CDN-Loop (RFC 8586), by which a front end of the
	// same deployment knows a request of its own copiers. It must be a token
	// (RFC 9110, section 5.6.2). Empty: the header is not sent.
	DeploymentID string

	// ConnectTimeout limits name resolution and connecting, over all addresses
	// of a host. 0: 10 seconds.
	ConnectTimeout time.Duration
	// TLSTimeout limits the TLS handshake. 0: 10 seconds.
	TLSTimeout time.Duration
	// FirstByteTimeout limits the time from the request to the end of the
	// answer's header, per hop. 0: 30 seconds.
	FirstByteTimeout time.Duration
	// IdleTimeout limits the time in which a read of the body brings no byte.
	// 0: 30 seconds.
	IdleTimeout time.Duration
	// MinBytesPerSecond is the least throughput of a body, measured over
	// MinRateOver of the time in which its reads wait for the origin. A body that
	// falls below it fails with ErrTooSlow. 0: 1 KiB. Negative: none.
	MinBytesPerSecond int64
	// MinRateOver is how long reads wait, added up, until the throughput is
	// judged. 0: 30 seconds.
	MinRateOver time.Duration

	// MaxRedirects is how many redirects are followed. 0: 5. Negative: none.
	MaxRedirects int
	// ResumeDelay is the wait before a broken body is continued; it doubles with
	// each try that brings no progress. 0: 500 milliseconds.
	ResumeDelay time.Duration
	// EnoughBytesPerSecond is how fast one connection is read for several at once
	// to be of no use. 0: 64 MiB.
	EnoughBytesPerSecond int64

	// Proxy is where all connections go: an http, https or socks5 URL, with user
	// and password if it asks for them. The guard then knows no more of a host
	// than what the URL says: addresses in it are judged, but names are resolved
	// by the proxy, to whatever it can reach. Nil: no proxy, and never one of the
	// environment.
	Proxy *url.URL
	// Listeners returns the addresses at which this process itself listens. No
	// connection goes there, whatever the rules let through. An unspecified
	// address stands for every address of the host. It is called for each
	// connection. Nil: the process listens nowhere.
	Listeners func() []netip.AddrPort
	// Resolver resolves host names. Nil: the system's resolver.
	Resolver *net.Resolver
	// RootCAs are the certificate authorities that are trusted. Nil: the
	// system's.
	RootCAs *x509.CertPool
	// Now is the clock that dates in Retry-After are held against. Nil:
	// time.Now.
	Now func() time.Time
}

const (
	defaultUserAgent        = "cloudmirror"
	defaultConnectTimeout   = 10 * time.Second
	defaultTLSTimeout       = 10 * time.Second
	defaultFirstByteTimeout = 30 * time.Second
	defaultIdleTimeout      = 30 * time.Second
	defaultMinRate          = 1 << 10
	defaultMinRateOver      = 30 * time.Second
	defaultMaxRedirects     = 5
	defaultResumeDelay      = 500 * time.Millisecond
	defaultEnough           = 64 << 20
)

// withDefaults returns the options with every zero value replaced.
func (o Options) withDefaults() Options {
	setDefault(&o.UserAgent, defaultUserAgent)
	setDefault(&o.ConnectTimeout, defaultConnectTimeout)
	setDefault(&o.TLSTimeout, defaultTLSTimeout)
	setDefault(&o.FirstByteTimeout, defaultFirstByteTimeout)
	setDefault(&o.IdleTimeout, defaultIdleTimeout)
	setDefault(&o.MinBytesPerSecond, defaultMinRate)
	setDefault(&o.MinRateOver, defaultMinRateOver)
	setDefault(&o.MaxRedirects, defaultMaxRedirects)
	setDefault(&o.ResumeDelay, defaultResumeDelay)
	setDefault(&o.EnoughBytesPerSecond, defaultEnough)
	if o.Listeners == nil {
		o.Listeners = func() []netip.AddrPort { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// hopTimeout limits one hop up to the end of its answer's header.
func (o Options) hopTimeout() time.Duration {
	return o.ConnectTimeout + o.TLSTimeout + o.FirstByteTimeout
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
