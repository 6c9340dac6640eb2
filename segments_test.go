package cloudmirror_test

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
)

// escapes are spellings of /private/x that begin with /public/, each of which some
// consumer resolves.
func escapes() []string {
	return []string{
		"/public/../private/x", "/public/%2e%2e/private/x", "/public/.%2e/private/x", "/public/%2E./private/x", "/public/..%2fprivate/x",
		"/public/..%2Fprivate%2fx", "/public/x/../../private/x", "/public/./../private/x", "/public//../../private/x", "/public/%2f../../private/x",
		"/public/..%5cprivate/x", "/public/%5c..%5Cprivate%5cx", "/public/a%5c..%2f..%2fprivate/x", "/public/..;/private/x", "/public/..;a=b/private/x",
		"/public/%2e%2e;a/private/x", "/public/..%3b/private/x", "/public/%2e%2e%3Ba/private/x", "/public/a/..%2f%2e%2e%2fprivate/x",
		"/public/..%2f%70rivate/x", "/public/../private/x?a=/public/", "/public/x;a/../../private/x", "/private/../public/../private/x",
	}
}

// paths draws paths of the pieces that consumers differ about.
func paths(prefix string) *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"/", "/", "/", ".", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", ";", "%3b", "%3B", "a", "%61", "private/x", "private", "x",
		"%00", "%25", "%252e", "%20", "+", ":", "?", "//", "=", "%23", "%3f", "~", "...",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return prefix + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
	})
}

// hasDotSegment is the rule as docs/urls.md states it.
func hasDotSegment(pathAndQuery string) bool {
	p, _, _ := strings.Cut(pathAndQuery, "?")
	for _, segment := range regexp.MustCompile(`(?i)[/\\]|%2f|%5c`).Split(p, -1) {
		segment = regexp.MustCompile(`(?i);|%3b`).Split(segment, 2)[0]
		if decoded, err := url.PathUnescape(segment); err == nil && (decoded == "." || decoded == "..") {
			return true
		}
	}
	return false
}

// checkPath checks that a path is refused by the rule alone, and that no consumer
// is led out of /public/ by one that is accepted. It reports whether it was.
func checkPath(t failer, pathAndQuery string) (accepted bool) {
	const origin = "http://h.test"
	legacy, legacyErr := cloudmirror.ParseLegacyObject(origin + pathAndQuery)
	if legacyErr != nil {
		return false
	}
	o, err := cloudmirror.ParseObject(origin + pathAndQuery)
	if want := hasDotSegment(pathAndQuery); (err != nil) != want {
		t.Errorf("%q: error %v, has a dot segment: %t", pathAndQuery, err, want)
	}
	if err != nil {
		return false
	}
	if o != legacy {
		t.Errorf("%q: the legacy object is %q", pathAndQuery, legacy.URL())
	}
	canonical := strings.TrimPrefix(o.URL(), origin)
	for name, judge := range judges() {
		normal, ok := judge(canonical)
		if ok && strings.HasPrefix(canonical, "/public/") && !strings.HasPrefix(normal, "/public/") {
			t.Errorf("%s: %q leads to %q", name, canonical, normal)
		}
	}
	return true
}

func TestNoConsumerLeavesAnAllowedPath(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for _, p := range rapid.SliceOfN(paths("/public/"), 1, 20).Draw(t, "paths") {
			if checkPath(t, p) {
				accepted++
			} else {
				refused++
			}
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d paths were accepted and %d refused: there should be both", accepted, refused)
	}
}

func FuzzSegments(f *testing.F) {
	for _, p := range escapes() {
		f.Add(p)
	}
	for _, p := range []string{"/", "/public/...", "/public/..a", "/public/.well-known/x", "/public/a;..", "/public/%252e%252e/", "/public/?/../", "/public/..%00/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, pathAndQuery string) {
		if strings.HasPrefix(pathAndQuery, "/") && !strings.Contains(pathAndQuery, "#") {
			checkPath(t, pathAndQuery)
		}
	})
}

// Each spelling gets somewhere, or it need not be refused.
func TestDotSegmentsAreRefusedInEveryForm(t *testing.T) {
	for _, p := range escapes() {
		leads := false
		for _, judge := range judges() {
			normal, ok := judge(p)
			leads = leads || ok && strings.HasPrefix(normal, "/private/x")
		}
		if !leads {
			t.Errorf("%q leads nobody to /private/x", p)
		}
		raw := "http://h.test" + p
		for form, target := range map[string]string{
			"literal": raw, "merged slashes": strings.Replace(raw, "//", "/", 1), "encoded": url.PathEscape(raw), "encoded more": url.QueryEscape(raw),
			"base64url": base64.RawURLEncoding.EncodeToString([]byte(raw)), "base64": base64.StdEncoding.EncodeToString([]byte(raw)),
		} {
			if read, err := cloudmirror.ParseTarget(target); err == nil || !strings.Contains(err.Error(), `has the segment "`) {
				t.Errorf("%s, %q: read as %q, error %v", form, p, read.Object.URL(), err)
			}
			read, err := cloudmirror.ParseLegacyTarget(target)
			if want, wantErr := cloudmirror.ParseLegacyObject(raw); err != nil || wantErr != nil || read.Object != want {
				t.Errorf("%s, %q, by the legacy parser: read as %q, errors %v, %v", form, p, read.Object.URL(), err, wantErr)
			}
		}
	}
}

func TestTheReasonNamesTheKindOfSegment(t *testing.T) {
	for p, want := range map[string]string{
		"/.": `"." in its path`, "/a/./b": `"." in its path`, "/%2e": `"." in its path`, "/a/.;b/c": `"." in its path`, "/..": `".." in its path`, "/a%2f.%2E%5cb": `".." in its path`,
	} {
		if _, err := cloudmirror.ParseObject("https://h.test" + p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// The check adds no allocation to the two that a URL costs without it.
func TestSegmentsCostNoAllocation(t *testing.T) {
	allocations := func(p string) float64 {
		raw := "https://h.test" + p
		return testing.AllocsPerRun(100, func() { _, _ = cloudmirror.ParseObject(raw) })
	}
	plain := allocations("/releases/tool")
	for _, p := range []string{"/releases/tool-1.0.tar.gz", "/.well-known/x", "/%7Ea%2f.b;c%5cd/..e%2f...", strings.Repeat("/.a%2f", 40)} {
		if got := allocations(p); got > plain {
			t.Errorf("%q: %v allocations, %v without anything to check", p, got, plain)
		}
	}
}

// Old URLs have the identity that they had, so that their copies can be found.
func TestLegacyObjects(t *testing.T) {
	for _, row := range table(t, "Refused") {
		o, err := cloudmirror.ParseLegacyObject(row[0])
		isSegment := strings.Contains(row[1], "dot segment")
		if (err == nil) != isSegment || err == nil && o.URL() != row[0] {
			t.Errorf("%q (%s): read as %q, %v", row[0], row[1], o.URL(), err)
		}
	}
	for _, row := range table(t, "Accepted") {
		if o, err := cloudmirror.ParseLegacyObject(row[0]); err != nil || o != parse(t, row[0]) {
			t.Errorf("%q: %q, %v", row[0], o.URL(), err)
		}
	}
}
