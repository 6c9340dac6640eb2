package storage_test

import (
	"net/url"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror/storage"
)

func TestEscapeKey(t *testing.T) {
	for key, want := range map[string]string{
		"ab12/0/package_1.0-2~a.deb": "ab12/0/package_1.0-2~a.deb",
		"ab/0/a b+c":                 "ab/0/a%20b%2Bc",
		"ab/0/('!,@=":                "ab/0/%28%27%21%2C%40%3D",
		"ab/0/größe?#%":              "ab/0/gr%C3%B6%C3%9Fe%3F%23%25",
	} {
		if got := storage.EscapeKey(key); got != want {
			t.Errorf("EscapeKey(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestEscapeKeyIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		u, err := url.Parse("http://host/" + storage.EscapeKey(key))
		if err != nil || u.Path != "/"+key {
			t.Fatalf("%q is read back as %q, %v", key, u.Path, err)
		}
	})
}
