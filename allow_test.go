package cloudmirror

import (
	"strings"
	"testing"
)

func TestParseAllowPattern(t *testing.T) {
	for _, valid := range []string{
		`^https://`, `^http://`, `^https?://`,
		`^https://good\.example\.com/`, `^https?://good\.example\.com/releases/.*\.tar\.gz$`,
		`^https://good\.example\.com(:\d+)?/`, `^https://[^/]+\.example\.com/`, `^https://[^/]+/`, `^https://[a-z0-9.-]+/`,
		`^https://(a|b)\.example\.com/`, `^https://(a\.test/x|b\.test/)`, `^https://(?:a|b)/(c|d|/)`, `^https://(?i:A)\.test/`,
		`^https://a\.test/|b\.test/`, `^https://\Qa.test/\E`, `^https://a\.test\b/`, `^https://\[::1\]/`, `^https://[^/]*good\.test/`,
		`^https://a{1,3}\.test/`, `^https://good\.test/$`,
	} {
		p, err := ParseAllowPattern(valid)
		if err != nil {
			t.Errorf("%s: %v", valid, err)
		}
		if p.String() != valid {
			t.Errorf("%s prints as %s", valid, p)
		}
	}
	for name, invalid := range map[string]string{
		"nothing":                            ``,
		"no anchor":                          `https://good\.test/`,
		"another anchor":                     `\Ahttps://good\.test/`,
		"flags first":                        `(?i)^https://good\.test/`,
		"another scheme":                     `^ftp://good\.test/`,
		"any scheme":                         `^.*://good\.test/`,
		"no scheme":                          `^good\.test/`,
		"host without end":                   `^https://good\.test`,
		"host with an end of the text":       `^https://good\.test$`,
		"slash that may be missing":          `^https://good\.test/?`,
		"slash any number of times":          `^https://good\.test/*`,
		"slash in one alternative":           `^https://(good\.test/|evil)`,
		"slash or the end":                   `^https://good\.test(/|$)`,
		"alternative beside everything":      `^https://good\.test/|`,
		"alternative of the whole":           `^https://|.*`,
		"unescaped dot":                      `^https://good.test/`,
		"anything before the host":           `^https://.*good\.test/`,
		"anything that is not lazy":          `^https://.*?good\.test/`,
		"class with a slash":                 `^https://[/a-z.]+good\.test/`,
		"class of what is not a dot":         `^https://[^.]+\.test/`,
		"class of what is no letter":         `^https://\Wgood\.test/`,
		"class of what is no space":          `^https://\S+\.good\.test/`,
		"class of graphic characters":        `^https://[[:graph:]]+\.good\.test/`,
		"range over the slash":               `^https://[+-9]+good\.test/`,
		"slash in a class":                   `^https://good\.test[/]?x`,
		"start of a line":                    `^https://(?m:^)good\.test/`,
		"start of the text":                  `^https://\Agood\.test/`,
		"quantifier on the scheme's slash":   `^https://*good\.test/`,
		"question mark on the scheme's":      `^https://?good\.test/`,
		"repetition of the scheme's":         `^https://{0}good\.test/`,
		"plus on the scheme's":               `^https://+good\.test/`,
		"a bracket that closes our group":    `^https://good\.test)|(.*/`,
		"a bracket that closes, then opens":  `^https://a/)|(?:.*`,
		"a class left open":                  `^https://good\.test/[`,
		"a quotation that swallows the rest": `^https://\Qgood.test`,
		"dot that matches line breaks":       `^https://(?s:.)good\.test/`,
		"a group of any number":              `^https://(good\.test/)*evil`,
		"a capture that may be missing":      `^https://(good\.test/)?evil\.test/`,
		"not UTF-8":                          "^https://\xff/",
		"an escaped slash that may be":       `^https://good\.test\/?x`,
		"a slash in hexadecimal that may be": `^https://good\.test\x2f?x`,
		"nothing that can match":             `^https://good\.test[^\x00-\x{10FFFF}]`,
	} {
		if _, err := ParseAllowPattern(invalid); err == nil {
			t.Errorf("%s: %s was accepted", name, invalid)
		}
	}
}

func TestAllowPatternMatch(t *testing.T) {
	tests := []struct {
		pattern, url string
		want         bool
	}{
		{`^https://`, "https://any.test/", true},
		{`^https://`, "http://any.test/", false},
		{`^https?://`, "http://any.test/", true},
		{`^https://good\.test/`, "https://good.test/a", true},
		{`^https://good\.test/`, "https://GOOD.test./a", true},
		{`^https://good\.test/`, "https://good.test:443", true},
		{`^https://good\.test/`, "https://good.test:444/", false},
		{`^https://good\.test/`, "https://good.test.evil.test/", false},
		{`^https://good\.test/`, "https://evil.test/https://good.test/", false},
		{`^https://good\.test/`, "https://evil.test/?https://good.test/", false},
		{`^https://good\.test/`, "https://goodxtest/", false},
		{`^https://good\.test/`, "https://evilgood.test/", false},
		{`^https://[^/]*good\.test/`, "https://evil.test/good.test/", false},
		{`^https://[^/]*good\.test/`, "https://evil.test?good.test/", false},
		{`^https://a\.test/|b\.test/`, "https://b.test/", true},
		{`^https://a\.test/|b\.test/`, "https://evil.test/b.test/", false},
		{`^https://a\.test/|b\.test/`, "http://b.test/", false},
		{`^https://good\.test/pub/`, "https://good.test/pub//x", true},
		{`^https://good\.test/pub/`, "https://good.test//pub/x", false}, // bytes, not paths: docs/urls.md
		{`^https://good\.test/pub/`, "https://good.test/%70ub/", false},
		{`^https://good\.test/$`, "https://good.test/a", false},
		{`^https://(?i:GOOD)\.test/`, "https://good.test/", true},
	}
	for _, test := range tests {
		p, err := ParseAllowPattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		o, err := ParseObject(test.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(o); got != test.want {
			t.Errorf("%s on %s: %t", test.pattern, test.url, got)
		}
	}
	p, err := ParseAllowPattern(`^https://`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(Object{}) {
		t.Error("the zero object is allowed")
	}
}

// A pattern that was accepted fixes the host: it cannot match before it has seen
// the slash behind it.
func FuzzParseAllowPattern(f *testing.F) {
	for _, seed := range []string{
		`^https://good\.test/`, `^https?://[^/]+\.good\.test(:\d+)?/x`, `^http://(a|b/)c/`, `^https://(?i)a/`, `^https://a/?`,
		`^https://\Qa/\E|b/`, `^https://(?:a/){1,2}`, `^https://a*?/`, `^https://(?U)a+/`, `^https://(?P<n>a)/`, `^https://[^a]/`,
	} {
		f.Add(seed, "good.test")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		if len(text) > 200 || len(host) > 200 { // long repetitions are slow to compile
			return
		}
		p, err := ParseAllowPattern(text)
		if err != nil {
			return
		}
		if text == "^https://" || text == "^http://" || text == "^https?://" {
			return
		}
		host = strings.ReplaceAll(host, "/", "")
		for _, scheme := range []string{"http://", "https://"} {
			if p.expression.MatchString(scheme + host) {
				t.Errorf("%q matches %q, which has no end of its host", text, scheme+host)
			}
		}
	})
}

// hostParts are ways to write the host of a pattern, with what they stand for.
func hostParts() []struct {
	text string
	fits func(host string) bool
} {
	return []struct {
		text string
		fits func(host string) bool
	}{
		{`good\.test`, func(h string) bool { return h == "good.test" }},
		{`good\.test(:[0-9]+)?`, func(h string) bool { name, _, _ := strings.Cut(h, ":"); return name == "good.test" }},
		{`(a|b)\.good\.test`, func(h string) bool { return h == "a.good.test" || h == "b.good.test" }},
		{`[^/]+\.good\.test`, func(h string) bool { return strings.HasSuffix(h, ".good.test") && h != ".good.test" }},
		{`(?:[a-z0-9-]+\.)*good\.test`, func(h string) bool { return h == "good.test" || strings.HasSuffix(h, ".good.test") }},
		{`good[.]test:8443`, func(h string) bool { return h == "good.test:8443" }},
	}
}

// FuzzAllowPatternHost holds that no URL whose host does not fit the host part of
// a pattern is allowed, whatever follows in the pattern and in the URL.
func FuzzAllowPatternHost(f *testing.F) {
	for _, seed := range []struct{ rest, url string }{
		{"", "https://good.test/"},
		{"?", "https://good.test.evil.test/"},
		{"*x", "https://good.testx.evil.test/"},
		{"{0}", "https://good.test@evil.test/"},
		{"{0,1}.*", "https://good.test.evil.test/"},
		{"??", "https://good.testevil/"},
		{"(?i)x", "https://GOOD.test/X"},
		{".*", "https://evil.test/https://good.test/"},
		{"\\Qx", "https://a.good.test/x"},
		{"+a", "https://good.test:8443//a"},
		{"$", "https://good.test:80/"},
		{"\\b", "https://b.good.test/"},
		{"*", "https://good.test\u3002evil.test/"},
	} {
		f.Add(seed.rest, seed.url)
	}
	f.Fuzz(func(t *testing.T, rest, url string) {
		if len(rest) > 100 || strings.ContainsAny(rest, "|)") {
			return // other hosts may be written there, on purpose
		}
		o, err := ParseObject(url)
		if err != nil {
			return
		}
		_, behind, _ := strings.Cut(o.URL(), "://")
		host, _, _ := strings.Cut(behind, "/")
		for _, part := range hostParts() {
			p, err := ParseAllowPattern("^https?://" + part.text + "/" + rest)
			if err == nil && p.Match(o) && !part.fits(host) {
				t.Errorf("%s allows %s", p, o.URL())
			}
		}
	})
}

func BenchmarkAllowPatternMatch(b *testing.B) {
	o, err := ParseObject("https://bucket.s3.eu-west-1.amazonaws.com/releases/v1.2.3/tool-linux-amd64.tar.gz")
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{`^https://`, `^https://bucket\.s3\.eu-west-1\.amazonaws\.com/`, `^https://[^/]+\.amazonaws\.com/releases/.*\.gz$`} {
		p, err := ParseAllowPattern(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.Match(o) {
					b.Fatal("no match")
				}
			}
		})
	}
}
