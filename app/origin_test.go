package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror/app"
	"cloudmirror/origin/origintest"
)

func TestTheConfiguredProxyIsTheWayOut(t *testing.T) {
	origin := origintest.Start(t)
	proxy := origintest.StartProxy(t, "http", origin.Listener.Addr().String())
	a, stop := start(t, anyPort(t, "127.0.0.1:0", "CLOUDMIRROR_ORIGIN_PROXY="+proxy.URL.String()))
	front := "http://" + a.Addresses()[0].String()
	status, header, body := get(t, mustObject(t, "http://name.test/a?size=10").RedirectURL(front, backend))
	if status != http.StatusFound || header.Get("Cache-Status") != "cloudmirror; fwd=miss; stored" {
		t.Errorf("through the proxy: %d %s %s", status, header.Get("Cache-Status"), body)
	}
	status, _, body = get(t, mustObject(t, front+"/metrics").RedirectURL(front, backend))
	if status != http.StatusForbidden {
		t.Errorf("the process itself: %d %s", status, body)
	}
	if asked := proxy.Asked(); !slices.Equal(asked, []string{"GET http://name.test/a?size=10"}) {
		t.Errorf("the proxy was asked for %q", asked)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestRedirectsAreFollowedAsOftenAsConfigured(t *testing.T) {
	origin := origintest.Start(t)
	for limit, last := range map[string]string{"0": "0", "2": "2"} {
		a, stop := start(t, anyPort(t, "127.0.0.1:0", "CLOUDMIRROR_ORIGIN_MAX_REDIRECTS="+limit))
		ask := func(hops string) (int, string) {
			status, _, body := get(t, origin.Object(t, "/a?hops="+hops).RedirectURL("http://"+a.Addresses()[0].String(), backend)+"?fallback=none")
			return status, body
		}
		if status, body := ask(last); status != http.StatusFound {
			t.Errorf("%s of %s redirects: %d %s", last, limit, status, body)
		}
		if status, body := ask("3"); status != http.StatusBadGateway || !strings.Contains(body, "TooManyRedirects") {
			t.Errorf("3 of %s redirects: %d %s", limit, status, body)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestOriginsAreWaitedForAsLongAsConfigured(t *testing.T) {
	o, err := app.OriginOptions(anyPort(t, "127.0.0.1:0",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_CONNECT=1s", "CLOUDMIRROR_ORIGIN_TIMEOUTS_TLS=2s",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_FIRST_BYTE=60s", "CLOUDMIRROR_ORIGIN_TIMEOUTS_IDLE=4s"))
	if err != nil {
		t.Fatal(err)
	}
	got := []time.Duration{o.ConnectTimeout, o.TLSTimeout, o.FirstByteTimeout, o.IdleTimeout, o.MinRateOver}
	if want := []time.Duration{time.Second, 2 * time.Second, time.Minute, 4 * time.Second, time.Minute}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
