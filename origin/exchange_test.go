package origin

import (
	"testing"

	"cloudmirror"
)

// Scheme, host and port all belong to the origin that gets a service's headers:
// what is sent over TLS must not follow a redirect to plain HTTP.
func TestHeadersBelongToSchemeHostAndPort(t *testing.T) {
	parse := func(url string) cloudmirror.Object {
		o, err := cloudmirror.ParseObject(url)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	e := exchange{client: New(Options{}), trail: new(trail), asked: parse("https://a.test/x"), rules: Rules{Headers: map[string]string{"Authorization": "secret"}}}
	for url, want := range map[string]string{
		"https://a.test/y?z": "secret", "https://A.test:443/": "secret",
		"http://a.test/x": "", "https://a.test:8443/x": "", "https://b.a.test/x": "", "https://a.test.b.test/x": "", "http://a.test:443/x": "",
	} {
		if got := e.header(parse(url), nil).Get("Authorization"); got != want {
			t.Errorf("%s gets %q, want %q", url, got, want)
		}
	}
}
