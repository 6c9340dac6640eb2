package origin

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// A dialer connects to the allowed addresses of a host only.
type dialer struct {
	guard     guard
	listeners func() []netip.AddrPort // of this process
	timeout   time.Duration
	resolver  *net.Resolver
}

// A forbiddenError says that a host has no address but forbidden ones. No
// packet was sent to any of them.
type forbiddenError struct{ err error }

func (e *forbiddenError) Error() string { return e.err.Error() }
func (e *forbiddenError) Unwrap() error { return e.err }

// A dialError says that there is no connection.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// DialContext connects to a host and port. The guard sees every address after
// name resolution and before connecting, so that no answer of a name server can
// pass it, and forbidden addresses cannot be probed: whether any of them answers
// is never known. Other addresses of the same host are tried.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var tried atomic.Bool // some allowed address was
	var refused atomic.Pointer[error]
	conn, err := (&net.Dialer{
		Timeout:  d.timeout,
		Resolver: d.resolver,
		Control: func(network, address string, _ syscall.RawConn) error {
			if err := d.control(network, address); err != nil {
				refused.Store(&err)
				return err
			}
			tried.Store(true)
			return nil
		},
	}).DialContext(ctx, network, address)
	if err == nil {
		return conn, nil
	}
	if cause := refused.Load(); cause != nil && !tried.Load() {
		return nil, &forbiddenError{err: *cause}
	}
	return nil, &dialError{err: err}
}

func (d *dialer) control(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("connections of the kind %q are not allowed", network)
	}
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("judge the address to connect to: %w", err)
	}
	if err := d.guard.check(parsed.Addr()); err != nil {
		return err
	}
	if isOwn(d.listeners(), parsed) {
		return ownListenerError(parsed)
	}
	return nil
}

func ownListenerError(target netip.AddrPort) error {
	return fmt.Errorf("this process itself listens at %s", target)
}
