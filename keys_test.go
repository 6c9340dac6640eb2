package cloudmirror_test

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror"
)

// maxKeyBytes is what S3 allows for a key; config lets the prefix of a storage
// have 512 of them.
const maxKeyBytes = 1024 - 512

// checkKeys checks that two URLs have keys of their own, unless they name one
// object, in every pair of generations.
func checkKeys(t failer, rawA, rawB string) {
	a, errA := cloudmirror.ParseObject(rawA)
	b, errB := cloudmirror.ParseObject(rawB)
	if errA != nil || errB != nil {
		return
	}
	owners := make(map[string]string)
	for _, o := range []cloudmirror.Object{a, b} {
		keys := map[string]string{o.MarkerKey(): "marker"}
		for _, g := range []cloudmirror.Generation{cloudmirror.FirstGeneration, "generation", cloudmirror.Generation(strings.Repeat("z", 64))} {
			key := o.StorageKey(g)
			if keys[key] != "" {
				t.Errorf("%.200q: %s and %s have the same key", o.URL(), g, keys[key])
			}
			keys[key] = string(g)
			if strings.Count(key, "/") != 2 || path.Clean(key) != key || path.Base(key) != o.FileName() || !strings.HasPrefix(key, o.Hash()+"/"+string(g)+"/") {
				t.Errorf("%.200q has the key %.200q", o.URL(), key)
			}
		}
		for key := range keys {
			if len(key) > maxKeyBytes {
				t.Errorf("%.200q has a key of %d bytes", o.URL(), len(key))
			}
			if owner, taken := owners[key]; taken && owner != o.URL() {
				t.Errorf("%.200q and %.200q have the same key %.200q", owner, o.URL(), key)
			}
			owners[key] = o.URL()
		}
	}
	if (a == b) != (a.URL() == b.URL()) || (a.Hash() == b.Hash()) != (a == b) || (a.Target() == b.Target()) != (a == b) {
		t.Errorf("%.200q and %.200q: the same object %t", a.URL(), b.URL(), a == b)
	}
}

func TestKeysAreInjective(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("%C3%BC", 1300)
	checkKeys(t, long, long+"a")
	checkKeys(t, "https://a.test/x?y", "https://a.test/x")
	rapid.Check(t, func(t *rapid.T) { checkKeys(t, rawURLs().Draw(t, "a"), rawURLs().Draw(t, "b")) })
}

func FuzzKeys(f *testing.F) {
	for _, row := range table(f, "Keys") {
		f.Add(row[0], row[0]+"?")
		f.Add(row[0], strings.ToUpper(row[0]))
	}
	for _, row := range table(f, "Accepted") {
		f.Add(row[0], row[1])
	}
	f.Fuzz(checkKeysOf)
}

func checkKeysOf(t *testing.T, a, b string) { checkKeys(t, a, b) }

func FuzzParseGeneration(f *testing.F) {
	for _, seed := range []string{"0", "", "A", "../x", "a/b", "0\n", "ü", strings.Repeat("a", 64), strings.Repeat("a", 65), string(cloudmirror.NewGeneration())} {
		f.Add(seed)
	}
	o := parse(f, "https://example.com/a/file.txt")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := cloudmirror.ParseGeneration(text)
		if err != nil {
			if g != "" {
				t.Errorf("%.200q: a generation with an error", text)
			}
			return
		}
		if string(g) != text || len(text) > 64 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("%.200q is accepted as %.200q", text, g)
		}
		if key := o.StorageKey(g); key != o.Hash()+"/"+text+"/file.txt" || key == o.MarkerKey() {
			t.Errorf("%.200q makes the key %.200q", text, key)
		}
	})
}
