package app_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror/config"
	"cloudmirror/origin/origintest"
)

// A service whose patterns allow a path gives nothing of other paths away, neither
// by dot segments of a client nor by those of the origin's redirects.
func TestNothingLeavesAnAllowedPath(t *testing.T) {
	server := origintest.Start(t)
	c, err := config.Load("", []string{"CLOUDMIRROR_ADMIN_LISTEN=127.0.0.1:0"}, config.Overrides{
		Listen: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "data"), AllowAddresses: []string{"127.0.0.0/8"},
		Allow: []string{"^" + strings.ReplaceAll(server.URL, ".", `\.`) + "/public/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, stop := start(t, c)
	front := "http://" + a.Addresses()[0].String()
	for _, path := range []string{
		"/public/../private/x", "/public/%2e%2e/private/x", "/public/.%2e/private/x", "/public/..%2fprivate/x", "/public/x/../../private/x",
		"/public/..%5cprivate/x", "/public/..;/private/x", "/public/..%3b/private/x", "/public/./x",
	} {
		object := server.URL + path
		for form, target := range map[string]string{
			"literal": object, "encoded": url.QueryEscape(object), "base64url": base64.RawURLEncoding.EncodeToString([]byte(object)),
		} {
			status, _, body := get(t, front+"/v1/redirect/s3/us-east-1/"+target)
			if status != http.StatusBadRequest || !strings.Contains(body, `"InvalidURL"`) || !strings.Contains(body, "in its path") {
				t.Fatalf("%s, %s: %d %s", path, form, status, body) // at once: the others would wait for copies, too
			}
		}
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("the origin was asked %d times: %v", n, server.Requests())
	}
	for _, location := range []string{
		"../private/x", "/public/../private/x", "/public/..%2fprivate/x", "%2e%2e/private/x", server.URL + "/public/../private/x", server.URL + "/public/.%2e/private/x",
	} {
		from := "/public/redirect?to=" + url.QueryEscape(location)
		server.Set("/public/redirect", origintest.Behaviour{Redirect: location})
		status, header, body := get(t, server.Object(t, from).RedirectURL(front, backend))
		if to := header.Get("Location"); strings.Contains(body, `"present"`) || status == http.StatusFound && to != server.URL+from {
			t.Errorf("a redirect to %s: %d to %q, %s", location, status, to, body)
		}
	}
	// A redirect within the path works, so that the others failed for their place.
	server.Set("/public/redirect", origintest.Behaviour{Redirect: "../public/./x?size=3"})
	if status, header, body := get(t, server.Object(t, "/public/redirect").RedirectURL(front, backend)); status != http.StatusFound || !strings.Contains(body, `"present"`) {
		t.Errorf("a redirect within the path: %d to %q, %s", status, header.Get("Location"), body)
	}
	for _, r := range server.Requests() {
		if !strings.HasPrefix(r.Target, "/public/redirect") && r.Target != "/public/x?size=3" {
			t.Errorf("the origin was asked for %s", r.Target)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
