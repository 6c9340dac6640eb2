package cloudmirror_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"cloudmirror"
)

func TestParseTarget(t *testing.T) {
	const url = "https://example.com/?~?~?a~~b?" // its base64 has padding, and characters that the alphabets differ in
	tests := map[string]struct{ given, want, query string }{
		"literal":                              {"https://example.com/a?b=c", "https://example.com/a?b=c", ""},
		"literal, nothing decoded":             {"https://example.com/a%3Fb%2520", "https://example.com/a%3Fb%2520", ""},
		"literal, our query is the URL's":      {"https://example.com/a?wait=5s", "https://example.com/a?wait=5s", ""},
		"literal, one slash":                   {"https:/example.com/a", "https://example.com/a", ""},
		"literal, one slash, capitals":         {"HTTP:/Example.com/a//b", "http://example.com/a//b", ""},
		"percent-encoded":                      {"https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%2520", "https://example.com/a?b=c%20", ""},
		"percent-encoded but for the colon":    {"https:%2F%2fexample.com%2Fa%3Fb?wait=5s", "https://example.com/a?b", "wait=5s"},
		"percent-encoded in part":              {"https%3A//example.com/a", "https://example.com/a", ""},
		"percent-encoded, lower case":          {"https%3a%2f%2fexample.com%2fa", "https://example.com/a", ""},
		"percent-encoded, all of it":           {"%68%74%74%70%3a%2f%2fa%2f", "http://a/", ""},
		"percent-encoded with our query":       {"https%3A%2F%2Fexample.com%2Fa?wait=5s&fallback=none", "https://example.com/a", "wait=5s&fallback=none"},
		"percent-encoded, plus is plus":        {"https%3A%2F%2Fexample.com%2Fa+b", "https://example.com/a+b", ""},
		"base64url":                            {base64.RawURLEncoding.EncodeToString([]byte(url)), url, ""},
		"base64url, padded":                    {base64.URLEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, padded":                       {base64.StdEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, not padded":                   {base64.RawStdEncoding.EncodeToString([]byte(url)), url, ""},
		"base64, percent-encoded padding":      {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(url)), "=", "%3D"), url, ""},
		"base64, percent-encoded slash":        {strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("http://a/?~?~?~?~")), "/", "%2F"), "http://a/?~?~?~?~", ""},
		"base64url with our query":             {base64.RawURLEncoding.EncodeToString([]byte(url)) + "?wait=5s", url, "wait=5s"},
		"base64url with an empty query":        {base64.RawURLEncoding.EncodeToString([]byte(url)) + "?", url, ""},
		"base64url of what is not canonical":   {base64.RawURLEncoding.EncodeToString([]byte("HTTPS://EXAMPLE.com")), "https://example.com/", ""},
		"base64url, query with question marks": {base64.RawURLEncoding.EncodeToString([]byte(url)) + "?a?b", url, "a?b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, query, err := cloudmirror.ParseTarget(test.given)
			if err != nil || o.URL() != test.want || query != test.query {
				t.Errorf("%q: got %q, %q, %v", test.given, o.URL(), query, err)
			}
		})
	}
}

func TestParseTargetRefuses(t *testing.T) {
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, given := range map[string]string{
		"nothing":                           "",
		"only a query":                      "?wait=5s",
		"only padding":                      "====",
		"a word":                            "favicon.ico",
		"a host without scheme":             "example.com/a",
		"another scheme":                    "ftp://example.com/",
		"another scheme, encoded":           "ftp%3A%2F%2Fexample.com%2F",
		"another scheme, base64":            b64("ftp://example.com/"),
		"a scheme with a letter like s":     "http\u017f://example.com/",
		"no slash":                          "https:example.com",
		"three slashes":                     "https:///example.com",
		"one slash and a backslash":         `https:/\example.com`,
		"percent-encoded twice":             "https%253A%252F%252Fexample.com",
		"a broken percent-encoding":         "https%3A%2F%2Fexample.com%zz",
		"a percent sign at the end":         "aHR0cDovL2Ev%",
		"a line break in base64":            b64("http://a/")[:4] + "\n" + b64("http://a/")[4:],
		"an encoded line break in base64":   b64("http://a/")[:4] + "%0A" + b64("http://a/")[4:],
		"a space in base64":                 b64("http://a/")[:4] + " " + b64("http://a/")[4:],
		"padding in the middle of base64":   b64("http://a/")[:4] + "=" + b64("http://a/")[4:],
		"stray bits at the end of base64":   "aHR0cDovL2EvYR", // "http://a/a" ends in YQ
		"base64 of base64":                  b64(b64("http://a/")),
		"a byte beyond ASCII in base64":     b64("http://a/") + "ü",
		"an encoded URL with a user name":   b64("http://a@b/"),
		"an encoded URL with a fragment ok": b64("http://a/ü"),
		"a URL over the limit":              b64("http://a/" + strings.Repeat("a", cloudmirror.MaxURLBytes)),
	} {
		t.Run(name, func(t *testing.T) {
			if o, query, err := cloudmirror.ParseTarget(given); err == nil {
				t.Errorf("%q is read as %q, query %q", given, o.URL(), query)
			}
		})
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, heading := range []string{"Accepted", "Refused"} {
		for _, row := range table(f, heading) {
			f.Add(row[0])
			f.Add(base64.RawURLEncoding.EncodeToString([]byte(row[0])) + "?wait=5s")
		}
	}
	f.Fuzz(func(t *testing.T, rest string) {
		o, _, err := cloudmirror.ParseTarget(rest)
		if err != nil {
			if !o.IsZero() {
				t.Errorf("%q: an object with an error", rest)
			}
			return
		}
		checkIdentity(t, o.URL())
	})
}

func TestRedirectURL(t *testing.T) {
	o := parse(t, "https://example.com/a")
	backend := cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	const want = "https://mirror.test/v1/redirect/s3/eu-west-1/aHR0cHM6Ly9leGFtcGxlLmNvbS9h"
	for _, server := range []string{"https://mirror.test", "https://mirror.test/"} {
		if got := o.RedirectURL(server, backend); got != want {
			t.Errorf("%s: %s", server, got)
		}
	}
}

func BenchmarkParseTarget(b *testing.B) {
	const url = "https://bucket.s3.eu-west-1.amazonaws.com/releases/v1.2.3/tool-linux-amd64.tar.gz"
	for name, target := range map[string]string{
		"literal":   url,
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(url)),
		"encoded":   strings.ReplaceAll(strings.ReplaceAll(url, ":", "%3A"), "/", "%2F"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := cloudmirror.ParseTarget(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
