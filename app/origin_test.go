package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

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
