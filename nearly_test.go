package cloudmirror

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReach(t *testing.T) {
	for _, tt := range []struct{ pattern, url, reached string }{
		{`^https://`, "https://a.test/x", "https://"},
		{`^https://a\.test/`, "https://a.test/x", "https://a.test/"},
		{`^https://a\.test/pub/`, "https://a.test/private", "https://a.test/p"},
		{`^https://a\.test/pub/`, "https://a.test/pub", "https://a.test/pub"},
		{`^https://a\.test/pub/`, "http://a.test/pub/", "http"},
		{`^https?://a\.test/pub/`, "http://a.test/x", "http://a.test/"},
		{`^https://[^/]+\.a\.test/`, "https://b.test/", "https://b.test"},
		{`^https://(a|b)\.test/(?i:X|Y)z`, "https://b.test/yq", "https://b.test/y"},
		{`^https://a\.test/.*\.gz$`, "https://a.test/x.tar.bz2", "https://a.test/x.tar.bz2"},
		{`^https://a\.test/$`, "https://a.test/x", "https://a.test"},
		{`^https://a\.test/\bx`, "https://a.test/y", "https://a.test/"},
		{`^https://a{2,3}\.test/`, "https://a.test/", "https://a"},
		{`^https://[^/]*/x`, "https://a.test/" + strings.Repeat("y", 8000), "https://a.test/"},
		{`^https://[^/]+/.*z$`, "https://a.test/" + strings.Repeat("y", 8000), "https://a.test/" + strings.Repeat("y", maxNearBytes-15)},
	} {
		o, err := ParseObject(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseAllowPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.url[:p.Reach(o)]; got != tt.reached {
			t.Errorf("%s reaches %q of %q, want %q", p, got, tt.url, tt.reached)
		}
	}
}

// TestReachIsWhatAllowedURLsHaveInCommon draws URLs that a pattern allows, and others
// that begin like them: the pattern reaches as far as they are alike, at least, but
// for the character before an end.
func TestReachIsWhatAllowedURLsHaveInCommon(t *testing.T) {
	expressions := []string{
		`^https://a\.test/`, `^https?://(a|b)\.test/(x|yy)+/[0-9]{2,4}\.tar\.(gz|xz)$`, `^https://[a-c]+\.test(:[0-9]+)?/\w+/`, `^https://[^/]+/a/.*/b`,
	}
	rapid.Check(t, func(t *rapid.T) {
		expression := rapid.SampledFrom(expressions).Draw(t, "pattern")
		p, err := ParseAllowPattern(expression)
		if err != nil {
			t.Fatal(err)
		}
		allowed, err := ParseObject(rapid.StringMatching(expression).Draw(t, "url"))
		if err != nil || !p.Match(allowed) {
			t.Skip("no URL")
		}
		url := allowed.URL()
		const after = len("https://a.test/")
		if len(url) > maxNearBytes || len(url) < after {
			t.Skip("out of bounds")
		}
		cut := rapid.IntRange(after, len(url)).Draw(t, "cut")
		other, err := ParseObject(url[:cut] + rapid.StringMatching(`[a-z0-9./]{0,10}`).Draw(t, "rest"))
		if err != nil || !strings.HasPrefix(other.URL(), url[:cut]) {
			t.Skip("no URL")
		}
		if reached := p.Reach(other); reached < cut-1 && !p.Match(other) {
			t.Fatalf("%s reaches %q of %q, and allows %q", p, other.URL()[:reached], other.URL(), url)
		}
	})
}

func BenchmarkReach(b *testing.B) {
	o, err := ParseObject("https://a.test/" + strings.Repeat("y", 8000))
	if err != nil {
		b.Fatal(err)
	}
	p, err := ParseAllowPattern(`^https://[^/]+/.*z$`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Reach(o)
	}
}
