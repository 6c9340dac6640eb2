package cloudmirror_test

import (
	"fmt"
	"strings"
	"testing"

	"cloudmirror"
)

// worstURLs are, by kind, URLs of n bytes that are as much work as such a URL can
// be, whether it is accepted or not.
func worstURLs() map[string]func(n int) string {
	repeat := func(prefix, part string) func(n int) string {
		return func(n int) string {
			return (prefix + strings.Repeat(part, n/len(part)+1))[:n]
		}
	}
	return map[string]func(n int) string{
		"path":                               repeat("http://a.test/", "a"),
		"path of encodings":                  repeat("http://a.test/", "%61"),
		"path of slashes and dots":           repeat("http://a.test/", "..."+"/"),
		"path of encoded slashes":            repeat("http://a.test/", ".a%2f"),
		"query":                              repeat("http://a.test/?", "&a="),
		"fragment":                           repeat("http://a.test/#", "a"),
		"host of one label":                  repeat("http://", "a"),
		"host of labels":                     repeat("http://", "a."),
		"host of dots":                       repeat("http://", "\u3002"),
		"host of distinct letters":           func(n int) string { return distinctLetters(n, n) },
		"host of labels of distinct letters": func(n int) string { return distinctLetters(n, 63) },
		"host of labels of letters":          repeat("http://", "\u4e00\u4e03\u4e09\u4e01."),
		"host of combining marks":            repeat("http://a", "\u0301\u0327"),
		"host in Punycode":                   repeat("http://xn--", "b4c"),
		"host of Punycode labels":            repeat("http://", "xn--bcher-kva."),
		"host of bad UTF-8":                  repeat("http://", "\xff"),
		"port":                               repeat("http://a.test:", "0"),
		"address":                            repeat("http://", "1."),
		"brackets":                           repeat("http://[::", "1:"),
		"zone":                               repeat("http://[fe80::1%", "a"),
		"user":                               repeat("http://", "a:"),
		"scheme":                             repeat("", "h"),
	}
}

// distinctLetters is a host of labels of letters that all differ, for which Punycode
// takes longest.
func distinctLetters(n, perLabel int) string {
	var b strings.Builder
	b.WriteString("http://")
	for i := 0; b.Len()+4 <= n; i++ {
		if i%perLabel == perLabel-1 {
			b.WriteByte('.')
		}
		b.WriteRune(rune(0x4e00 + i))
	}
	return b.String()
}

// BenchmarkParseObjectWorst shows that no kind of URL costs more per byte the longer
// it is: a client must not buy much work with one request. See ns/byte.
func BenchmarkParseObjectWorst(b *testing.B) {
	for kind, make := range worstURLs() {
		for n := 64; n <= cloudmirror.MaxURLBytes; n *= 2 {
			raw := make(n)
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(kind, " ", "_"), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = cloudmirror.ParseObject(raw)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(raw)), "ns/byte")
			})
		}
	}
}
