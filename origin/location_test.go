package origin

import (
	"errors"
	"testing"

	"cloudmirror"
)

// The examples of RFC 3986, section 5.4, without those that name a fragment of
// the base or a scheme of their own.
func TestResolveFollowsRFC3986(t *testing.T) {
	const base = "http://a/b/c/d;p?q"
	for reference, want := range map[string]string{
		"g": "http://a/b/c/g", "./g": "http://a/b/c/g", "g/": "http://a/b/c/g/", "/g": "http://a/g", "//g": "http://g",
		"?y": "http://a/b/c/d;p?y", "g?y": "http://a/b/c/g?y", "g#s": "http://a/b/c/g#s", "g?y#s": "http://a/b/c/g?y#s",
		";x": "http://a/b/c/;x", "g;x": "http://a/b/c/g;x", "": "http://a/b/c/d;p?q", ".": "http://a/b/c/", "./": "http://a/b/c/",
		"..": "http://a/b/", "../": "http://a/b/", "../g": "http://a/b/g", "../..": "http://a/", "../../": "http://a/", "../../g": "http://a/g",
		"../../../g": "http://a/g", "../../../../g": "http://a/g", "/./g": "http://a/g", "/../g": "http://a/g",
		"g.": "http://a/b/c/g.", ".g": "http://a/b/c/.g", "g..": "http://a/b/c/g..", "..g": "http://a/b/c/..g",
		"./../g": "http://a/b/g", "./g/.": "http://a/b/c/g/", "g/./h": "http://a/b/c/g/h", "g/../h": "http://a/b/c/h",
		"g;x=1/./y": "http://a/b/c/g;x=1/y", "g;x=1/../y": "http://a/b/c/y", "g?y/./x": "http://a/b/c/g?y/./x",
		"g?y/../x": "http://a/b/c/g?y/../x", "g#s/../x": "http://a/b/c/g#s/../x",
		"//g/../h": "http://g/h", "//g/h/..?i/../j": "http://g/?i/../j", "http://g/./h/../../i/.": "http://g/i/", "http://g?h/../i": "http://g?h/../i",
		"http://g#h/../i": "http://g#h/../i", "HTTP://g:80/h/../i": "HTTP://g:80/i", "http://../g/../h": "http://../h", "http:///../g": "http:///g",
		"http:g": "http:g", "g:h": "g:h", "1g:h": "http://a/b/c/1g:h", "./g:h": "http://a/b/c/g:h",
	} {
		if got := removeDotSegments(join(base, reference), true); got != want {
			t.Errorf("resolve %q: got %q, want %q", reference, got, want)
		}
	}
}

// Clients disagree about how much ".." takes away where they read the segment
// before it in two ways, so that a copy might be of another object than a client
// gets that follows the redirect itself.
func TestNoDotSegmentHidesWhatClientsReadDifferently(t *testing.T) {
	base, err := cloudmirror.ParseObject("https://a.test/b/c")
	if err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{
		`\\evil.test/..`, `/\evil.test/../x`, `x\y/../z`, "%2e/../x", "/x/%2E%2e/../y", "x/..%2f../../y", "x;/.%2e;a/../y",
		"a\tb/../x", "%/../x", "x/%zz/./../y",
	} {
		got, err := redirectTarget(base, []string{location})
		if f, ok := errors.AsType[*cloudmirror.Failure](err); !ok || f.Code != cloudmirror.CodeRedirectNotAllowed || !f.Permanent {
			t.Errorf("%q leads to %q, %v", location, got.URL(), err)
		}
	}
	for location, want := range map[string]string{"ü/../x": "https://a.test/b/x", "a b/..": "https://a.test/b/", "%2f/../x": "https://a.test/b/x", "/x/%5c/../y": "https://a.test/x/y", "...;/../x": "https://a.test/b/x"} {
		if got, err := redirectTarget(base, []string{location}); err != nil || got.URL() != want {
			t.Errorf("%q leads to %q, %v, want %s", location, got.URL(), err, want)
		}
	}
}

func TestRedirectTargetWithSeveralLocations(t *testing.T) {
	base, err := cloudmirror.ParseObject("https://a.test/b")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := redirectTarget(base, []string{"/c", "/c"}); err != nil || got.URL() != "https://a.test/c" {
		t.Errorf("the same place twice: %v, %v", got, err)
	}
	_, err = redirectTarget(base, []string{"/c", "https://evil.test/"})
	if f, ok := errors.AsType[*cloudmirror.Failure](err); !ok || f.Code != cloudmirror.CodeRedirectNotAllowed || !f.Permanent {
		t.Errorf("two places: %v", err)
	}
}

func FuzzRedirectTarget(f *testing.F) {
	for _, seed := range []string{"http://h/a/../b", "/a/%2e%2e/b", "//h/..", "/x", "//h/x", "../y?z", "https://h/ü", `\\h`, "?", "#", "https://h\\@g/", "http://ü.test/ä b"} {
		f.Add(seed)
	}
	base, err := cloudmirror.ParseObject("https://base.test/a/b?c")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, location string) {
		target, err := redirectTarget(base, []string{location})
		if err != nil {
			return
		}
		again, err := cloudmirror.ParseObject(target.URL())
		if err != nil || again != target {
			t.Errorf("%q leads to %q, which is not canonical: %v", location, target.URL(), err)
		}
		if !hasScheme(location) && len(location) > 1 && location[:2] != "//" {
			if host, _ := hostPort(target); host != "base.test" {
				t.Errorf("the relative %q leads to another host: %q", location, target.URL())
			}
		}
	})
}
