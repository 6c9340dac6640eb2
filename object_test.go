package cloudmirror_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"cloudmirror"
)

func parse(t testing.TB, raw string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return o
}

// rawURLs draws URLs that are nearly right, of the pieces that parsers trip over.
func rawURLs() *rapid.Generator[string] {
	scheme := rapid.SampledFrom([]string{"http", "https", "HTTP", "hTTps", "ftp", "http\u017f", ""})
	separator := rapid.SampledFrom([]string{"://", "://", "://", ":/", ":///", ":\\\\", ":"})
	label := rapid.OneOf(
		rapid.SampledFrom([]string{"example", "EXAMPLE", "b\u00fccher", "xn--bcher-kva", "xn--", "a_b", "-", "0x7f", "127", "01", "1", "\uff11", "\u00ad", "\u2135", "\ufb01", "%61", "@", "[::1]", "\\"}),
		rapid.StringMatching(`[a-z0-9-]{1,63}`), rapid.String())
	dot := rapid.SampledFrom([]string{".", ".", ".", "..", "\u3002", "\uff0e"})
	port := rapid.SampledFrom([]string{"", "", "", ":", ":80", ":443", ":0443", ":8080", ":0", ":65536", ":x"})
	rest := rapid.OneOf(
		rapid.SampledFrom([]string{"", "/", "?", "#", "/?", "//", "/..", "/%2f", "/%", "/a b", "/a?b#c"}),
		rapid.StringMatching(`[/?#][a-zA-Z0-9/?#\[\]@!$&'()*+,;=:%._~-]{0,40}`), rapid.String())
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		b.WriteString(scheme.Draw(t, "scheme") + separator.Draw(t, "separator"))
		for i := range rapid.IntRange(1, 4).Draw(t, "labels") {
			if i > 0 {
				b.WriteString(dot.Draw(t, "dot"))
			}
			b.WriteString(label.Draw(t, "label"))
		}
		return b.String() + port.Draw(t, "port") + rest.Draw(t, "rest")
	})
}

// failer is what checkIdentity needs of a test, a fuzz target or a property.
type failer interface {
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// checkIdentity checks what must be true of an accepted URL.
func checkIdentity(t failer, raw string) {
	o, err := cloudmirror.ParseObject(raw)
	if err != nil {
		if _, ok := errors.AsType[*cloudmirror.URLError](err); !ok || !o.IsZero() {
			t.Errorf("%q: error %T and object %q", raw, err, o.URL())
		}
		return
	}
	canonical := o.URL()
	if again, err := cloudmirror.ParseObject(canonical); err != nil || again != o {
		t.Errorf("%q: canonical %q becomes %q, %v", raw, canonical, again.URL(), err)
	}
	if len(canonical) > cloudmirror.MaxURLBytes {
		t.Errorf("%q: canonical form of %d bytes", raw, len(canonical))
	}
	for i := range len(canonical) {
		if c := canonical[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}#", c) >= 0 {
			t.Errorf("%q: byte 0x%02x in %q", raw, c, canonical)
		}
	}
	if legacy, err := cloudmirror.ParseLegacyObject(raw); err != nil || legacy != o {
		t.Errorf("%q: the legacy object is %q, %v", raw, legacy.URL(), err)
	}
	checkNetURL(t, canonical)
	checkTargets(t, o)
	checkFileName(t, o)
}

// checkNetURL checks that net/url reads a canonical URL as we do, and that
// net/http would ask for exactly its path and query.
func checkNetURL(t failer, canonical string) {
	u, err := url.Parse(canonical)
	if err != nil {
		t.Fatalf("net/url cannot read %q: %v", canonical, err)
	}
	origin := u.Scheme + "://" + u.Host
	if got := origin + u.RequestURI(); got != canonical {
		t.Errorf("net/http would ask for %q, not %q", got, canonical)
	}
	if u.User != nil || u.Fragment != "" || strings.ContainsAny(u.Host, "/?#@\\%") || u.Host == "" {
		t.Errorf("net/url reads %q as %#v", canonical, u)
	}
}

func checkTargets(t failer, o cloudmirror.Object) {
	padded := base64.StdEncoding.EncodeToString([]byte(o.URL()))
	for _, target := range []string{
		o.Target(), o.URL(), url.PathEscape(o.URL()), url.QueryEscape(o.URL()),
		padded, strings.TrimRight(padded, "="), url.PathEscape(padded), base64.URLEncoding.EncodeToString([]byte(o.URL())),
	} {
		if strings.Contains(target, "+") && !strings.Contains(target, ":") && target != padded && target != strings.TrimRight(padded, "=") {
			continue // QueryEscape writes a space so; canonical URLs have none
		}
		got, err := cloudmirror.ParseTarget(target)
		if err != nil || got.Object != o || got.Options != nil || got.Name != "" {
			t.Errorf("target %q is read as %+v, %v", target, got, err)
		}
	}
	got, err := cloudmirror.ParseTarget(o.NamedTarget() + "?wait=5s")
	if err != nil || got.Object != o || len(got.Options) != 1 || strings.TrimSuffix(o.NamedTarget(), "/"+got.Name) != o.Target() {
		t.Errorf("target %q is read as %+v, %v", o.NamedTarget(), got, err)
	}
}

func checkFileName(t failer, o cloudmirror.Object) {
	name := o.FileName()
	if name == "" || name == "." || name == ".." || len(name) > 200 || !utf8.ValidString(name) ||
		strings.ContainsAny(name, "/\\\x00\n\x7f:*?\"<>|\ufffd\ufffe\uffff") {
		t.Errorf("%q has the file name %q", o.URL(), name)
	}
}

func TestCanonicalFormIsAnIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkIdentity(t, rawURLs().Draw(t, "raw")) })
}

func FuzzParseObject(f *testing.F) {
	for _, heading := range []string{"Accepted", "Refused"} {
		for _, row := range table(f, heading) {
			f.Add(row[0])
		}
	}
	f.Fuzz(func(t *testing.T, raw string) { checkIdentity(t, raw) })
}

func TestEveryByteIsEitherKnownOrRefused(t *testing.T) {
	const (
		inPath = "-._~:/@!$&'()*+,;=[]"
		inHost = "-_"
	)
	for c := range 256 {
		b := byte(c)
		text := string([]byte{b})
		oneOf := func(set string) bool { return strings.IndexByte(set, b) >= 0 }
		isAlphanumeric := oneOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
		want := map[string]bool{
			"http://example.com/a" + text + "b":   isAlphanumeric || oneOf(inPath+"?#"),
			"http://example.com/?a" + text + "b":  isAlphanumeric || oneOf(inPath+"?#"),
			"http://example.com/#a" + text + "b":  isAlphanumeric || oneOf(inPath+"?#"),
			"http://exam" + text + "ple.com/":     isAlphanumeric || oneOf(inHost+"./?#"),
			"http://example.com:8" + text + "0/":  '0' <= b && b <= '9' || oneOf("/?#"),
			"ht" + text + "tp://example.com/":     false,
			text + "http://example.com/":          false,
			"http:/" + text + "/example.com/":     false,
			"http://[::1" + text + "]/":           oneOf("0123456789abcdefABCDEF"),
			"http://example.com/a%2" + text + "/": oneOf("0123456789abcdefABCDEF"),
			"http://example.com/a?%" + text + "f": oneOf("0123456789abcdefABCDEF"),
		}
		for raw, ok := range want {
			if o, err := cloudmirror.ParseObject(raw); (err == nil) != ok {
				t.Errorf("%q: got %q, %v, want accepted %t", raw, o.URL(), err, ok)
			}
		}
	}
}

func TestLengthLimit(t *testing.T) {
	const start = "http://example.com/"
	longest := start + strings.Repeat("a", cloudmirror.MaxURLBytes-len(start))
	if o := parse(t, longest); o.URL() != longest {
		t.Error("the longest URL was changed")
	}
	if _, err := cloudmirror.ParseObject(longest + "a"); err == nil {
		t.Error("a byte more was accepted")
	}
	if _, err := cloudmirror.ParseObject(longest + "#"); err == nil {
		t.Error("a byte more that the canonical form would not have was accepted")
	}
	// The canonical form of a host can be longer than the host.
	grows := "http://" + strings.Repeat("ü", 50) + ".com/"
	grows += strings.Repeat("a", cloudmirror.MaxURLBytes-len(grows))
	shrinks := parse(t, grows)
	if len(shrinks.URL()) >= len(grows) {
		t.Fatal("the example does not shrink")
	}
	noPath := "http://a?" + strings.Repeat("a", cloudmirror.MaxURLBytes-len("http://a?"))
	if o, err := cloudmirror.ParseObject(noPath); err == nil {
		t.Errorf("a canonical form of %d bytes was accepted", len(o.URL()))
	}
}

func TestErrorsNeverRepeatTheURL(t *testing.T) {
	for _, row := range table(t, "Refused") {
		_, err := cloudmirror.ParseObject(row[0] + "?secret")
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", row[0], err)
		}
	}
	if _, err := cloudmirror.ParseTarget("secret!"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error of a target is %v", err)
	}
}

func TestHashIsTheSHA256OfTheURL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, err := cloudmirror.ParseObject("https://example.com/" + rapid.StringMatching(`[a-z?/]{0,300}`).Draw(t, "path"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		sum := sha256.Sum256([]byte(o.URL()))
		if got := o.Hash(); got != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s", o.URL(), got)
		}
	})
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("a", 300)
	for path, want := range map[string]string{
		"":                                  "object",
		"a/":                                "object",
		"a/b":                               "b",
		"b?c/d":                             "b",
		"%20":                               "object",
		"%20%20..%20":                       "_",
		"...":                               "...",
		".hidden":                           ".hidden",
		"%2E%2e":                            "_",
		"a%2Fb":                             "a_b",
		"a%5Cb":                             "a_b",
		"a%00b%0Ac%7Fd":                     "a_b_c_d",
		"a%C2%85b":                          "a_b",
		"a%FFb":                             "a_b",
		"%25":                               "_",
		"%252e%252e":                        "_2e_2e",
		"a%22b":                             "a_b",
		long + ".tar.gz":                    long[:193] + ".tar.gz",
		strings.Repeat("%C3%BC", 101):       strings.Repeat("ü", 100),
		"x" + strings.Repeat("%C3%BC", 100): strings.Repeat("ü", 100),
		strings.Repeat("%C3%BC", 100) + "x": strings.Repeat("ü", 99) + "x",
		"%F0%9F%98%80.png":                  "😀.png",
	} {
		o, err := cloudmirror.ParseLegacyObject("https://example.com/" + path) // copies of dot segments have names, too
		if err != nil || o.FileName() != want {
			t.Errorf("%q: got %q, error %v, want %q", path, o.FileName(), err, want)
		}
	}
}

func TestParseGeneration(t *testing.T) {
	for _, valid := range []string{"0", "a", string(cloudmirror.NewGeneration()), strings.Repeat("a", 64)} {
		if g, err := cloudmirror.ParseGeneration(valid); err != nil || string(g) != valid {
			t.Errorf("%q: %q, %v", valid, g, err)
		}
	}
	for _, invalid := range []string{"", "A", "a/b", "..", "a b", "ü", strings.Repeat("a", 65)} {
		if g, err := cloudmirror.ParseGeneration(invalid); err == nil || g != "" {
			t.Errorf("%q was accepted as %q", invalid, g)
		}
	}
}

func TestZeroObject(t *testing.T) {
	var zero cloudmirror.Object
	if !zero.IsZero() || parse(t, "http://a/").IsZero() {
		t.Error("IsZero")
	}
}

func ExampleParseObject() {
	o, err := cloudmirror.ParseObject("HTTPS://Example.com:443/releases/v1.0/tool.tar.gz#top")
	if err != nil {
		panic(err)
	}
	fmt.Println(o.URL())
	fmt.Println(o.StorageKey(cloudmirror.FirstGeneration))
	// Output:
	// https://example.com/releases/v1.0/tool.tar.gz
	// c3de41c1ee438f133c3563a6917f69dffcc5410bbd0113d92fbbce5f8c20ad67/0/tool.tar.gz
}

func BenchmarkParseObject(b *testing.B) {
	for name, raw := range map[string]string{
		"canonical": "https://bucket.s3.eu-west-1.amazonaws.com/releases/v1.2.3/tool-linux-amd64.tar.gz?versionId=abc",
		"mended":    "HTTPS://Bucket.s3.eu-west-1.amazonaws.com:443/releases/v1.2.3/tool-linux-amd64.tar.gz",
		"unicode":   "https://bücher.example/a",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cloudmirror.ParseObject(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	o := parse(b, "https://bucket.s3.eu-west-1.amazonaws.com/releases/v1.2.3/tool-linux-amd64.tar.gz")
	b.ReportAllocs()
	for b.Loop() {
		_ = o.Hash()
	}
}

func TestObjectHost(t *testing.T) {
	for url, want := range map[string]string{
		"HTTPS://Origin.Test:443/a":   "origin.test",
		"http://origin.test:8080?a=/": "origin.test:8080",
		"http://[::1]:81/a//b":        "[::1]:81",
	} {
		o, err := cloudmirror.ParseObject(url)
		if err != nil || o.Host() != want {
			t.Errorf("the host of %s is %q, error %v, want %q", url, o.Host(), err, want)
		}
	}
}

func TestOriginOfAnObject(t *testing.T) {
	for raw, want := range map[string]string{
		"https://example.com/a?b":    "https://example.com",
		"http://Example.com:8080/":   "http://example.com:8080",
		"https://[2001:DB8::1]:8443": "https://[2001:db8::1]:8443",
		"http://example.com:80/a://": "http://example.com",
	} {
		if got := parse(t, raw).Origin(); got != want {
			t.Errorf("the origin of %q is %q, want %q", raw, got, want)
		}
	}
}

// Logs have no query, and of a long URL its hash instead of its end.
func TestObjectsInLogs(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("a", 8000)
	for url, want := range map[string]string{
		"https://example.com/a":        "https://example.com/a",
		"https://example.com/a?secret": "https://example.com/a?…",
		long + "?secret":               long[:512] + "… (8027 bytes, hash " + fmt.Sprintf("%x", sha256.Sum256([]byte(long+"?secret"))) + ")",
	} {
		o, err := cloudmirror.ParseObject(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
