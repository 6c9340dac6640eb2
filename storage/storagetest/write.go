package storagetest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/storage"
)

func writeTests() []namedTest {
	return []namedTest{
		{"kept headers are found again", testHeader},
		{"hostile headers do not make a copy fail", testHostileHeader},
		{"a key that exists is left alone", testExist},
		{"replace overwrites", testReplace},
		{"delete removes all of a copy", testDelete},
		{"a copy that is read may be deleted", testDeleteWhileRead},
		{"nothing is visible before put returns", testInvisible},
		{"memory does not grow with the body", testMemory},
	}
}

func originHeader() http.Header {
	return http.Header{
		"Content-Type":        {"text/html; charset=utf-8"},
		"Content-Encoding":    {"gzip"},
		"Content-Disposition": {`attachment; filename="a b.html"`},
		"Content-Language":    {"de, en"},
		"Cache-Control":       {"public, max-age=31536000, immutable"},
		"Last-Modified":       {"Wed, 21 Oct 2015 07:28:00 GMT"},
		"X-Amz-Meta-Build":    {"1234"},
		"X-Amz-Meta-Commit":   {"0123456789abcdef"},
	}
}

func testHeader(t *testing.T, f *fixture) {
	for _, size := range []int64{10, f.partBytes + 1} {
		header := originHeader()
		header["Set-Cookie"] = []string{"session=secret"}
		header["Etag"] = []string{`"of the origin"`}
		header["X-Amz-Meta-Cloudmirror-Sha256"] = []string{"forged"}
		header["X-Amz-Meta-Build"] = []string{"1234", "a second value"}
		key := object(t, fmt.Sprintf("https://origin.example/%d.html", size)).StorageKey("0")
		data := content(1, size)
		put := f.mustPut(t, key, data, storage.PutOptions{Header: header})
		info := f.wantCopy(t, key, data)
		if diff := cmp.Diff(originHeader(), info.Header); diff != "" {
			t.Errorf("headers of a copy of %d bytes (-want +got):\n%s", size, diff)
		}
		if diff := cmp.Diff(info.Header, put.Header); diff != "" {
			t.Errorf("headers that Stat and Put return (-Stat +Put):\n%s", diff)
		}
		if len(header) != len(originHeader())+3 {
			t.Error("Put changed the caller's headers")
		}
	}
}

// testHostileHeader puts headers that no storage can be asked to serve. A driver
// may keep or drop what is hostile; the rest of the headers stays.
func testHostileHeader(t *testing.T, f *fixture) {
	many := http.Header{}
	for i := range 300 {
		many[fmt.Sprintf("X-Amz-Meta-Number-%d", i)] = []string{"a value of some length"}
	}
	long := string(make([]byte, 9000))
	cases := map[string]http.Header{
		"overlong value":            {"X-Amz-Meta-Long": {fmt.Sprintf("%09000d", 1)}},
		"overlong disposition":      {"Content-Disposition": {fmt.Sprintf("attachment; filename=%09000d", 1)}},
		"many values":               many,
		"bytes that are no text":    {"X-Amz-Meta-Bytes": {"\xff\xfe\x00"}, "Content-Language": {"\xe9"}},
		"control characters":        {"X-Amz-Meta-Lines": {"a\r\nSet-Cookie: b"}, "Content-Disposition": {"a\r\nX-Injected: b"}},
		"zero bytes":                {"Cache-Control": {long}},
		"letters outside of ASCII":  {"X-Amz-Meta-Größe": {"groß"}, "X-Amz-Meta-Name": {"größe"}},
		"a name that is none":       {"X-Amz-Meta-": {"empty"}, "X-Amz-Meta-A B": {"space"}},
		"an empty value":            {"X-Amz-Meta-Empty": {""}, "Content-Language": {""}},
		"spaces around and between": {"X-Amz-Meta-Spaces": {"  a   b  "}},
		"a date that is none":       {"Last-Modified": {"yesterday"}},
	}
	for name, hostile := range cases {
		for _, size := range []int64{10, f.partBytes + 1} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				key := object(t, fmt.Sprintf("https://origin.example/%d/%x", size, name)).StorageKey("0")
				header := hostile.Clone()
				header["Content-Type"] = []string{"image/png"}
				data := content(1, size)
				f.mustPut(t, key, data, storage.PutOptions{Header: header, Source: "https://origin.example/?secret"})
				info := f.wantCopy(t, key, data)
				if got := info.Header.Get("Content-Type"); got != "image/png" {
					t.Errorf("Content-Type is %q", got)
				}
				response, _ := f.fetch(t, key, http.MethodGet, nil)
				if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/png" {
					t.Errorf("GET answered %s, Content-Type %q", response.Status, response.Header.Get("Content-Type"))
				}
				for _, injected := range []string{"Set-Cookie", "X-Injected"} {
					if response.Header.Get(injected) != "" {
						t.Errorf("the answer has an injected %s", injected)
					}
				}
			})
		}
	}
}

func testExist(t *testing.T, f *fixture) {
	key := aKey(t)
	for _, size := range []int64{10, f.partBytes + 1} {
		old := content(1, size)
		f.mustPut(t, key, old, storage.PutOptions{Header: originHeader(), Replace: true})
		before := f.Contents(t)
		for _, newSize := range []int64{0, 11, f.partBytes + 2} {
			_, err := f.Provider.Put(t.Context(), key, stream(content(2, newSize)), storage.PutOptions{SizeBytes: -1})
			if !errors.Is(err, storage.ErrExist) {
				t.Errorf("Put of %d bytes over %d gave %v, want ErrExist", newSize, size, err)
			}
			f.wantCopy(t, key, old)
			f.wantContents(t, before)
		}
	}
}

func testReplace(t *testing.T, f *fixture) {
	key := aKey(t)
	empty := f.Contents(t)
	sizes := []int64{10, f.partBytes + 1, f.partBytes + 1, 10, 10, 0}
	for i, size := range sizes {
		data := content(uint64(i), size)
		header := http.Header{"Content-Type": {fmt.Sprintf("x/%d", i)}}
		f.mustPut(t, key, data, storage.PutOptions{Header: header, Replace: true})
		info := f.wantCopy(t, key, data)
		if diff := cmp.Diff(header, info.Header); diff != "" {
			t.Errorf("headers after replacing (-want +got):\n%s", diff)
		}
	}
	if err := f.Provider.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	f.wantContents(t, empty)
}

func testDelete(t *testing.T, f *fixture) {
	empty := f.Contents(t)
	key := aKey(t)
	for _, size := range []int64{10, f.partBytes + 1} {
		if err := f.Provider.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of what does not exist: %v", err)
		}
		f.mustPut(t, key, content(1, size), storage.PutOptions{Source: "https://origin.example/a?b=c", Header: originHeader()})
		for range 2 {
			if err := f.Provider.Delete(t.Context(), key); err != nil {
				t.Errorf("Delete: %v", err)
			}
			f.wantNothing(t, key)
		}
		if response, _ := f.fetch(t, key, http.MethodGet, nil); response.StatusCode < 400 {
			t.Errorf("GET of a deleted copy answered %s", response.Status)
		}
		f.wantContents(t, empty)
	}
}

func testDeleteWhileRead(t *testing.T, f *fixture) {
	key := aKey(t)
	data := content(1, f.partBytes+1)
	f.mustPut(t, key, data, storage.PutOptions{})
	body, _, err := f.Provider.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(body, head); err != nil {
		t.Fatal(err)
	}
	if err := f.Provider.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(body)
	if got := digest(append(head, rest...)); err != nil || got != digest(data) {
		t.Errorf("read %d bytes of %d after the delete: %v", len(head)+len(rest), len(data), err)
	}
}

// testInvisible looks at the key from within the body, so that every look falls
// between the beginning and the end of the put.
func testInvisible(t *testing.T, f *fixture) {
	for _, size := range []int64{10_000, 2*f.partBytes + 1} {
		key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
		data := content(1, size)
		look := func() {
			f.wantNothing(t, key)
			if response, _ := f.fetch(t, key, http.MethodGet, nil); response.StatusCode < 400 {
				t.Errorf("GET before the end of the put answered %s", response.Status)
			}
		}
		looks := 0
		watched := then(data, func() (int, error) { look(); looks++; return 0, io.EOF })
		half := then(data[:size/2], func() (int, error) { look(); looks++; return 0, io.EOF })
		body := io.MultiReader(half, watched)
		want := append(append([]byte{}, data[:size/2]...), data...)
		if _, err := f.Provider.Put(t.Context(), key, body, storage.PutOptions{SizeBytes: -1}); err != nil {
			t.Fatalf("Put: %v", err)
		}
		if looks < 2 {
			t.Errorf("looked %d times during the put", looks)
		}
		f.wantCopy(t, key, want)

		look = func() { f.wantCopy(t, key, want) }
		watched = then(data, func() (int, error) { look(); return 0, io.EOF })
		if _, err := f.Provider.Put(t.Context(), key, watched, storage.PutOptions{SizeBytes: -1, Replace: true}); err != nil {
			t.Fatalf("Put: %v", err)
		}
		f.wantCopy(t, key, data)
	}
}

// testMemory allows for buffers of some parts, which the garbage collector (and
// the race detector) may take from their pool at any time, and not for the body.
func testMemory(t *testing.T, f *fixture) {
	const parts = 24
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	size := parts * f.partBytes
	_, err := f.Provider.Put(t.Context(), aKey(t), &generated{size}, storage.PutOptions{SizeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	if got, limit := allocated()-before, uint64(f.partBytes*parts*3/4); got > limit {
		t.Errorf("a put of %d MiB allocated %d MiB, want at most %d", size>>20, got>>20, limit>>20)
	}
}
