package origin_test

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// A trap listens where nobody may connect to.
type trap struct {
	t        *testing.T
	listener net.Listener
}

func newTrap(t *testing.T, address string) trap {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skipf("no trap can listen at %s: %v", address, err)
	}
	t.Cleanup(func() { listener.Close() })
	return trap{t: t, listener: listener}
}

func (tr trap) address() string { return tr.listener.Addr().String() }

// wantUntouched checks that nobody has connected, not even for a moment: the
// kernel queues connections in their order, and the test's own is the first.
func (tr trap) wantUntouched() {
	tr.t.Helper()
	own, err := new(net.Dialer).DialContext(tr.t.Context(), "tcp", tr.address())
	if err != nil {
		tr.t.Fatal(err)
	}
	defer own.Close()
	first, err := tr.listener.Accept()
	if err != nil {
		tr.t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != own.LocalAddr().String() {
		tr.t.Errorf("%s was connected to from %s", tr.address(), first.RemoteAddr())
	}
}

// closedPort returns an address of a host where nobody listens.
func closedPort(t *testing.T, host string) string {
	t.Helper()
	tr := newTrap(t, net.JoinHostPort(host, "0"))
	defer tr.listener.Close()
	return tr.address()
}

// Whether a port of a forbidden address is open, closed or filtered cannot be
// told: the answer is the same, and there is no connect(2) that could take time.
func TestForbiddenAddressesAreNoOracle(t *testing.T) {
	hop := origintest.Start(t)
	rules := origin.Rules{Allow: patterns(t, "^http://"), AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for _, host := range []string{"127.0.0.2", "::1"} {
		open := newTrap(t, net.JoinHostPort(host, "0"))
		closed := closedPort(t, host)
		c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(host)} })})
		for name, url := range map[string]func(address string) string{
			"in the URL": func(address string) string { return "http://" + address + "/" },
			"by its name": func(address string) string {
				_, port, _ := net.SplitHostPort(address)
				return "http://name.test:" + port + "/"
			},
			"IPv4-mapped": func(address string) string {
				return "http://" + strings.Replace(address, "127.0.0.2", "[::ffff:127.0.0.2]", 1) + "/"
			},
			"by a redirect": func(address string) string { return hop.URL + "/?redirect=http://" + address + "/" },
			"by a redirect to its name": func(address string) string {
				_, port, _ := net.SplitHostPort(address)
				return hop.URL + "/?redirect=http://name.test:" + port + "/"
			},
		} {
			t.Run(host+" "+name, func(t *testing.T) {
				var answers [2]*cloudmirror.Failure
				for i, address := range []string{open.address(), closed} {
					_, _, err := fetch(t, c, rules, object(t, url(address)))
					answers[i] = wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true})
				}
				if answers[0].Message != answers[1].Message {
					t.Errorf("open: %q, closed: %q", answers[0].Message, answers[1].Message)
				}
			})
		}
		open.wantUntouched()
	}
}

// rebind returns a trap, the port of a server beside it, and a client for whom a
// name is the server's address at first, and then the trap's.
func rebind(t *testing.T) (server *origintest.Server, tr trap, c *origin.Client, move func()) {
	t.Helper()
	server = origintest.Start(t)
	tr = newTrap(t, "127.0.0.2:"+port(t, server))
	var moved atomic.Bool
	c = newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr {
		if moved.Load() {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})})
	return server, tr, c, func() { moved.Store(true) }
}

func TestNamesThatMoveToForbiddenAddresses(t *testing.T) {
	rules := origin.Rules{Allow: patterns(t, "^http://"), AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	refused := cloudmirror.Failure{Code: cloudmirror.CodeURLNotAllowed, Permanent: true}
	t.Run("between two requests", func(t *testing.T) {
		server, tr, c, move := rebind(t)
		o := object(t, "http://name.test:"+port(t, server)+"/a?size=10")
		if _, _, err := fetch(t, c, rules, o); err != nil {
			t.Fatal(err)
		}
		move()
		c.Close() // no connection is left to go on with
		_, _, err := fetch(t, c, rules, o)
		wantFailure(t, err, refused)
		tr.wantUntouched()
	})
	t.Run("between a request and its continuation", func(t *testing.T) {
		server, tr, c, move := rebind(t)
		response, err := c.Get(t.Context(), rules, object(t, "http://name.test:"+port(t, server)+"/a?size=100000&cut-after=50000&times=1"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		move()
		buffer := make([]byte, 1<<16)
		for err == nil {
			_, err = response.Body.Read(buffer)
		}
		wantFailure(t, err, refused)
		tr.wantUntouched()
	})
	t.Run("between a request and its redirect", func(t *testing.T) {
		server, tr, c, move := rebind(t)
		elsewhere := origintest.Start(t) // so that there must be a new connection
		moved := false
		elsewhere.Set("/a", origintest.Behaviour{Redirect: "http://name.test:" + port(t, server) + "/a?size=10"})
		for _, want := range []bool{true, false} {
			_, _, err := fetch(t, c, rules, elsewhere.Object(t, "/a"))
			if want != (err == nil) {
				t.Fatalf("moved: %t, got %v", moved, err)
			}
			if moved {
				wantFailure(t, err, refused)
			}
			move()
			c.Close()
			moved = true
		}
		tr.wantUntouched()
	})
}

// A name with forbidden addresses and others leads to the others, whatever their
// order is: what must not be connected to is not there.
func TestForbiddenAddressesBesideOthersAreLeftOut(t *testing.T) {
	server := origintest.Start(t)
	tr := newTrap(t, "127.0.0.2:"+port(t, server))
	forbidden, allowed := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	rules := origin.Rules{Allow: patterns(t, "^http://"), AllowAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for _, answer := range [][]netip.Addr{{forbidden, allowed}, {allowed, forbidden}, {netip.MustParseAddr("::1"), forbidden, allowed}} {
		c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr { return answer })})
		if _, _, err := fetch(t, c, rules, object(t, "http://name.test:"+port(t, server)+"/a?size=10")); err != nil {
			t.Errorf("%v: %v", answer, err)
		}
	}
	tr.wantUntouched()
	// If the others cannot be connected to, that is all that is told.
	server.Close()
	c := newClient(t, origin.Options{Resolver: origintest.Resolver(func(string) []netip.Addr { return []netip.Addr{forbidden, allowed} })})
	_, _, err := fetch(t, c, rules, object(t, "http://name.test:"+port(t, server)+"/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable})
	tr.wantUntouched()
}
