package origin_test

import (
	"errors"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

func wantNoSecret(t testing.TB, err error, secret string) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v, want one without %q", err, secret)
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	server := origintest.Start(t)
	c := newClient(t, origin.Options{})
	tests := map[string]struct{ from, location, want string }{
		"absolute":                      {"/a", server.URL + "/x/y%2f?q=%20", "/x/y%2f?q=%20"},
		"absolute with dots":            {"/a", server.URL + "/x/../y//z/./?a/../b", "/y//z/?a/../b"},
		"absolute with dots at the end": {"/a", server.URL + "/x/y/..#z/../", "/x/"},
		"absolute with dots, no path":   {"/a", server.URL + "?x/../y", "/?x/../y"},
		"without scheme, with dots":     {"/a", strings.TrimPrefix(server.URL, "http:") + "/x/../y", "/y"},
		"absolute, scheme in capitals":  {"/a", "HTTP" + strings.TrimPrefix(server.URL, "http") + "/x", "/x"},
		"without scheme":                {"/a", strings.TrimPrefix(server.URL, "http:") + "/x", "/x"},
		"absolute path":                 {"/a/b", "/x?y", "/x?y"},
		"absolute path with dots":       {"/a/b", "/x/./y/../z?a/../b", "/x/z?a/../b"},
		"relative path":                 {"/a/b?q", "c", "/a/c"},
		"relative path upwards":         {"/a/b/c", "../d", "/a/d"},
		"upwards beyond the root":       {"/a", "../../../d", "/d"},
		"upwards to a directory":        {"/a/b/c", "..", "/a/"},
		"with a fragment":               {"/a", "/x?y#z", "/x?y"},
		"raw bytes beyond ASCII":        {"/a", "/bücher?ä", "/b%C3%BCcher?%C3%A4"},
		"raw spaces and braces":         {"/a", "/a b{c}", "/a%20b%7Bc%7D"},
		"a colon behind a slash":        {"/a", "/x:y", "/x:y"},
		"dots that are encoded twice":   {"/a/b", "%252e%252e/c", "/a/%252e%252e/c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, _, _ := strings.Cut(test.from, "?")
			server.Set(path, origintest.Behaviour{Redirect: test.location})
			defer server.Set(path, origintest.Behaviour{})
			_, response, err := fetch(t, c, anywhere(t), server.Object(t, test.from))
			if err != nil {
				t.Fatal(err)
			}
			requests := server.Requests()
			if got := requests[len(requests)-1].Target; got != test.want {
				t.Errorf("followed to %s, want %s", got, test.want)
			}
			if response.FinalURL != server.URL+test.want {
				t.Errorf("final URL %s, want the one of %s", response.FinalURL, test.want)
			}
		})
	}
}

func TestEveryKindOfRedirectIsFollowed(t *testing.T) {
	server := origintest.Start(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		server.Set("/a", origintest.Behaviour{Redirect: "/b?size=5", RedirectStatus: status})
		if body, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a")); err != nil || len(body) != 5 {
			t.Errorf("%d: %d bytes, %v", status, len(body), err)
		}
	}
}

func TestRedirectsThatLeadNowhere(t *testing.T) {
	server := origintest.Start(t)
	elsewhere := origintest.Start(t)
	rules := origin.Rules{
		Allow:          patterns(t, "^"+strings.ReplaceAll(server.URL, ".", `\.`)+"/"),
		AllowAddresses: origintest.Loopback(),
	}
	notAllowed := cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true}
	tooMany := cloudmirror.Failure{Code: cloudmirror.CodeTooManyRedirects, Permanent: true}
	tests := map[string]struct {
		behaviour origintest.Behaviour
		want      cloudmirror.Failure
	}{
		"outside the patterns":                  {origintest.Behaviour{Redirect: elsewhere.URL + "/?secret"}, notAllowed},
		"to an address that is not allowed too": {origintest.Behaviour{Redirect: "http://169.254.169.254/latest/?secret"}, notAllowed},
		"to another scheme":                     {origintest.Behaviour{Redirect: "file:///etc/passwd"}, notAllowed},
		"to gopher":                             {origintest.Behaviour{Redirect: "gopher://127.0.0.1:6379/_x?secret"}, notAllowed},
		"to data":                               {origintest.Behaviour{Redirect: "data:text/plain,secret"}, notAllowed},
		"to no host":                            {origintest.Behaviour{Redirect: "http:///secret"}, notAllowed},
		"with a user name":                      {origintest.Behaviour{Redirect: "http://a@b.test/?secret"}, notAllowed},
		"with a backslash":                      {origintest.Behaviour{Redirect: `http://a.test\@b.test/`}, notAllowed},
		"with a backslash first":                {origintest.Behaviour{Redirect: `/\b.test/`}, notAllowed},
		"with a tab":                            {origintest.Behaviour{Redirect: "/a\tb"}, notAllowed},
		"beyond 8 KiB":                          {origintest.Behaviour{Redirect: "/" + strings.Repeat("a", 8<<10)}, notAllowed},
		"in a circle of itself":                 {origintest.Behaviour{Redirect: "/a"}, tooMany},
		"by a fragment only":                    {origintest.Behaviour{Redirect: "#x"}, tooMany},
		"six times":                             {origintest.Behaviour{Hops: 6}, tooMany},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server.Set("/a", test.behaviour)
			_, _, err := fetch(t, newClient(t, origin.Options{}), rules, server.Object(t, "/a"))
			if f := wantFailure(t, err, test.want); !strings.Contains(f.Message, "redirect") {
				t.Errorf("message %q does not say that a redirect is to blame", f.Message)
			}
			wantNoSecret(t, err, "secret")
		})
	}
	if n := len(elsewhere.Requests()); n != 0 {
		t.Errorf("%d requests reached a server outside of the patterns", n)
	}
}

func TestRedirectsSayWhyTheyAreNotFollowed(t *testing.T) {
	server := origintest.Start(t)
	for location, want := range map[string]string{
		"/" + strings.Repeat("a", 8<<10): "8192 are allowed", // it is http, and long
		"http://127.0.0.1:99999/":        "port",
		"https://a@b.test/":              "user name",
		"file:///etc/passwd":             "http:// or https://",
		"/%2e%2e/a":                      `segment ".."`,
	} {
		server.Set("/a", origintest.Behaviour{Redirect: location})
		_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
		f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeRedirectNotAllowed, Permanent: true})
		if !strings.Contains(f.Message, want) {
			t.Errorf("%.40s: message %q, want one with %q", location, f.Message, want)
		}
	}
}

// A redirect may not use dot segments to get from a path that is allowed to one
// that is not. The literal ones are resolved first, so that patterns see where they
// lead; any others are refused.
func TestRedirectsStayWithinTheAllowedPath(t *testing.T) {
	server := origintest.Start(t)
	rules := origin.Rules{
		Allow:          patterns(t, "^"+strings.ReplaceAll(server.URL, ".", `\.`)+"/public/"),
		AllowAddresses: origintest.Loopback(),
	}
	for _, location := range []string{
		"../private/x", "/public/../private/x", server.URL + "/public/../private/x", server.URL + "/public/a/../../private/x?/public/",
		strings.TrimPrefix(server.URL, "http:") + "/public/../private/x", "HTTP" + strings.TrimPrefix(server.URL, "http") + "/public/./../private/x",
		"/public/..%2fprivate/x", "%2e%2e/private/x", ".%2E/private/x", "/public/%2e./private/x", "..;/private/x", "..%3ba/private/x", "/public/%5c..%5cprivate/x",
		server.URL + "/public/..%2Fprivate/x", server.URL + "/public/../public/%2e%2e/private/x", "/public/..%5c../private/x?secret",
	} {
		server.Set("/public/redirect", origintest.Behaviour{Redirect: location})
		_, _, err := fetch(t, newClient(t, origin.Options{}), rules, server.Object(t, "/public/redirect"))
		f, ok := errors.AsType[*cloudmirror.Failure](err)
		isEncoded := strings.ContainsAny(location, "%;")
		if !ok || !f.Permanent || isEncoded && f.Code != cloudmirror.CodeRedirectNotAllowed || !strings.Contains(f.Message, "redirects") {
			t.Errorf("a redirect to %s: %v", location, err)
		}
		wantNoSecret(t, err, "secret")
	}
	for _, r := range server.Requests() {
		if r.Target != "/public/redirect" {
			t.Errorf("the origin was asked for %s", r.Target)
		}
	}
}

func TestRedirectLimit(t *testing.T) {
	server := origintest.Start(t)
	tooMany := cloudmirror.Failure{Code: cloudmirror.CodeTooManyRedirects, Permanent: true}
	_, _, err := fetch(t, newClient(t, origin.Options{MaxRedirects: -1}), anywhere(t), server.Object(t, "/a?hops=1"))
	wantFailure(t, err, tooMany)
	_, _, err = fetch(t, newClient(t, origin.Options{MaxRedirects: 2}), anywhere(t), server.Object(t, "/a?hops=3"))
	wantFailure(t, err, tooMany)
	if _, _, err = fetch(t, newClient(t, origin.Options{MaxRedirects: 2}), anywhere(t), server.Object(t, "/a?hops=2")); err != nil {
		t.Error(err)
	}
}

func TestLongCircleIsNoticed(t *testing.T) {
	server := origintest.Start(t)
	server.Set("/a", origintest.Behaviour{Redirect: "/b"})
	server.Set("/b", origintest.Behaviour{Redirect: "/a"})
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
	wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeTooManyRedirects, Permanent: true})
	if n := len(server.Requests()); n != 2 {
		t.Errorf("%d requests went around a circle of 2", n)
	}
}
