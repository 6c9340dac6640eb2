package origin_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func TestCloseEndsIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(origintest.New())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	c := newClient(t, origin.Options{})
	if _, _, err := fetch(t, c, anywhere(t), object(t, server.URL+"/a?size=10")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

func TestSlowNameServerIsUnreachableOrigin(t *testing.T) {
	done := make(chan struct{})
	c := newClient(t, origin.Options{
		ConnectTimeout: 20 * time.Millisecond,
		Resolver:       origintest.Resolver(func(string) []netip.Addr { <-done; return nil }),
	})
	_, _, err := fetch(t, c, anywhere(t), object(t, "http://name.test/"))
	close(done)
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable})
}

func TestNumberOfTransportsIsBounded(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	for i := range 200 {
		rules := anywhere(t)
		rules.AllowAddresses = append(rules.AllowAddresses, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24))
		if _, _, err := fetch(t, c, rules, server.Object(t, "/a?size=10")); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Transports(); n > 64 {
		t.Errorf("%d transports", n)
	}
}
