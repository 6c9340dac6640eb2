package storage_test

import (
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/storage"
)

func keptDisposition(value string) string {
	return storage.KeptHeader(http.Header{"Content-Disposition": {value}}).Get("Content-Disposition")
}

// The forms of RFC 6266, section 5, and those that origins send instead.
func TestKeptDisposition(t *testing.T) {
	const ue = "attachment; filename=_.zip; filename*=UTF-8''%C3%BC.zip"
	for value, want := range map[string]string{
		// ASCII stays as it is, well-formed or not.
		`attachment`:                              `attachment`,
		`Attachment;filename="a b.zip"`:           `Attachment;filename="a b.zip"`,
		`attachment; filename*=UTF-8''%c3%bc.zip`: `attachment; filename*=UTF-8''%c3%bc.zip`,
		`attachment; filename="a`:                 `attachment; filename="a`,

		`attachment; filename="ü.zip"`:                                      ue,
		`attachment; filename=ü.zip`:                                        ue,
		`ATTACHMENT; FILENAME = ü.zip`:                                      ue,
		`attachment; filename="ü.zip"; filename*=UTF-8''%C3%BC.zip`:         ue,
		`attachment; filename="other-ü.zip"; filename*=UTF-8''%C3%BC.zip`:   ue,
		`attachment; filename="x;y"; filename*=UTF-8''ü.zip`:                ue,
		`attachment; filename*=UTF-8''ü.zip`:                                ue,
		`attachment; filename="ü.zip"; name="é"`:                            "attachment; filename=_.zip; name*=utf-8''%C3%A9; filename*=UTF-8''%C3%BC.zip",
		`attachment; filename="a.zip"; name="é"`:                            "attachment; filename=a.zip; name*=utf-8''%C3%A9",
		`inline; filename=große datei.zip`:                                  `inline; filename="gro_e datei.zip"; filename*=UTF-8''gro%C3%9Fe%20datei.zip`,
		`attachment; filename="日本 (1)'100%'{}/*.txt"`:                       `attachment; filename="__ (1)'100_'{}/*.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC%20%281%29%27100%25%27%7B%7D%2F%2A.txt`,
		`attachment; filename="a\"b\\ü"`:                                    `attachment; filename=a_b__; filename*=UTF-8''a%22b%5C%C3%BC`,
		`attachment; filename="ü"; filename*=UTF-8''%0D%0Ax-injected%3A%00`: "attachment; filename=\"__x-injected:_\"; filename*=UTF-8''%0D%0Ax-injected%3A%00",

		// What is none.
		`attachment; filename="ü`: "",
		`größe`:                   "",
		`; filename="ü"`:          "",
		`attachment; ü`:           "",
	} {
		if got := keptDisposition(value); got != want {
			t.Errorf("%s is kept as\n\t%s, want\n\t%s", value, got, want)
		}
	}
}

// A file name of the greatest length that file systems have fits, whatever its
// letters.
func TestKeptDispositionOfLongNames(t *testing.T) {
	for _, letter := range []string{"ü", "本", "😀"} {
		name := strings.Repeat(letter, 255/len(letter))
		got := keptDisposition(`attachment; filename="` + name + `"`)
		if _, parameters, err := mime.ParseMediaType(got); err != nil || parameters["filename"] != name {
			t.Errorf("%d times %s is kept as %q, %v", 255/len(letter), letter, got, err)
		}
	}
}

func FuzzKeptDisposition(f *testing.F) {
	f.Add(`attachment; filename="ü.zip"`)
	f.Add(`inline; filename=ü; filename*=utf-8'de'%FF; a="\"ü"`)
	f.Add("a\t; b=ü")
	f.Fuzz(func(t *testing.T, value string) {
		got := keptDisposition(value)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is kept as %q, which is no printable ASCII", value, got)
		}
		if again := keptDisposition(got); again != got {
			t.Errorf("%q is kept as %q, and that as %q", value, got, again)
		}
	})
}

func TestLeftOut(t *testing.T) {
	got := storage.LeftOut(http.Header{
		"Content-Type": {"a/b"}, "Content-Language": {"größe"}, "x-amz-meta-long": {strings.Repeat("a", storage.MaxHeaderBytes)},
		"X-Amz-Meta-Secret": {strings.Repeat("a", storage.MaxHeaderBytes)},
		"X-Amz-Meta-Short":  {"a"}, "Set-Cookie": {"a=b"}, "X-Amz-Meta-Cloudmirror-Id": {"forged"},
	})
	if diff := cmp.Diff([]string{"Content-Language", "X-Amz-Meta-"}, got); diff != "" {
		t.Errorf("LeftOut (-want +got):\n%s", diff)
	}
}
