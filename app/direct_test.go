package app_test

import (
	"net/http"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin/origintest"
)

// Tools keep one prefix for an index, which stays fresh, and for what it lists,
// which is copied.
func TestAnIndexStaysFreshBesideItsPackages(t *testing.T) {
	origin := origintest.Start(t)
	origin.Set("/dists/InRelease", origintest.Behaviour{SizeBytes: 100})
	origin.Set("/pool/tool.deb", origintest.Behaviour{SizeBytes: 100})
	c := load(t, origin)
	direct, err := cloudmirror.ParseAllowPattern("^" + strings.ReplaceAll(origin.URL, ".", `\.`) + "/dists/")
	if err != nil {
		t.Fatal(err)
	}
	c.Services[0].Direct = []cloudmirror.AllowPattern{direct}
	a, stop := start(t, c)
	front := "http://" + a.Addresses()[0].String()
	for path, want := range map[string]string{
		"/dists/InRelease": "cloudmirror; fwd=bypass; detail=direct",
		"/pool/tool.deb":   "cloudmirror; fwd=miss; stored",
	} {
		status, header, _ := get(t, origin.Object(t, path).RedirectURL(front, backend))
		if status != http.StatusFound || header.Get("Cache-Status") != want {
			t.Errorf("%s: %d, %s, want %s", path, status, header.Get("Cache-Status"), want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := origin.Count(http.MethodGet, "/dists/InRelease"); n != 0 {
		t.Errorf("the index was fetched %d times by us", n)
	}
}
