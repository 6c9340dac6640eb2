package storagetest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudmirror/storage"
)

func urlTests() []namedTest {
	return []namedTest{
		{"the url serves the copy", testServed},
		{"the url serves the stored headers", testServedHeader},
		{"the url serves file names that are no ASCII", testServedFileName},
		{"the url serves standard headers up to their bounds", testServedLongHeader},
		{"the url serves Last-Modified of the origin", testServedLastModified},
		{"a copy without Content-Type is served as bytes", testServedType},
		{"the url serves ranges", testServedRange},
		{"the url serves revalidation", testServedConditional},
		{"an odd file name can be fetched", testOddNames},
		{"the source is not public", testSource},
		{"the url does not depend on the copy", testURLUnknown},
		{"the url stays as it is unless it is private", testURLStaysUnlessPrivate},
	}
}

func testServed(t *testing.T, f *fixture) {
	for _, size := range []int64{0, 10, f.partBytes + 1} {
		key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
		data := content(1, size)
		f.mustPut(t, key, data, storage.PutOptions{})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := f.fetch(t, key, method, nil)
			if response.StatusCode != http.StatusOK || response.ContentLength != size {
				t.Errorf("%s answered %s with length %d, want 200 with %d", method, response.Status, response.ContentLength, size)
			}
			if method == http.MethodGet && !bytes.Equal(body, data) {
				t.Errorf("GET gave %d other bytes", len(body))
			}
		}
	}
}

func testServedHeader(t *testing.T, f *fixture) {
	for _, size := range []int64{10, f.partBytes + 1} {
		key := object(t, fmt.Sprintf("https://origin.example/%d.html", size)).StorageKey("0")
		data := content(1, size)
		f.mustPut(t, key, data, storage.PutOptions{Header: originHeader()})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := f.fetch(t, key, method, nil)
			for name, want := range originHeader() {
				if got := response.Header.Get(name); got != want[0] && name != "Last-Modified" {
					t.Errorf("%s answered %s: %q, want %q", method, name, got, want[0])
				}
			}
			if response.ContentLength != size || method == http.MethodGet && !bytes.Equal(body, data) {
				t.Errorf("%s gave %d bytes, and length %d, want the %d as stored", method, len(body), response.ContentLength, size)
			}
		}
	}
}

// testServedFileName has an origin send a name in UTF-8 in the forms that there
// are, which no storage can be asked to keep.
func testServedFileName(t *testing.T, f *fixture) {
	const want = "attachment; filename=gr__e.zip; filename*=UTF-8''gr%C3%B6%C3%9Fe.zip"
	for _, size := range []int64{10, f.partBytes + 1} {
		for i, value := range []string{`attachment; filename="größe.zip"`, `attachment; filename=größe.zip`, `attachment; filename="x"; filename*=UTF-8''größe.zip`} {
			key := object(t, fmt.Sprintf("https://origin.example/%d/%d", size, i)).StorageKey("0")
			data := content(1, size)
			f.mustPut(t, key, data, storage.PutOptions{Header: http.Header{
				"Content-Disposition": {value}, "Content-Type": {`text/plain; charset=utf-8; name="größe"`},
			}})
			header := f.wantCopy(t, key, data).Header
			response, _ := f.fetch(t, key, http.MethodGet, nil)
			for from, header := range map[string]http.Header{"Stat": header, "GET": response.Header} {
				if got := header.Get("Content-Disposition"); got != want {
					t.Errorf("%s: %s gave %q, want %q", value, from, got, want)
				}
				if got := header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
					t.Errorf("%s gave Content-Type %q", from, got)
				}
			}
		}
	}
}

// testServedLongHeader puts values of the bounds of storage.KeptHeader, and beyond.
func testServedLongHeader(t *testing.T, f *fixture) {
	longest := strings.Repeat("d", storage.MaxStandardValueBytes)
	rest := strings.Repeat("c", storage.MaxStandardBytes-len("Content-TypeContent-DispositionCache-Control")-len(storage.DefaultContentType)-len(longest))
	for _, size := range []int64{10, f.partBytes + 1} {
		for name, c := range map[string]struct{ disposition, cacheControl, wantDisposition, wantCacheControl string }{
			"at the bounds":              {longest, rest, longest, rest},
			"one byte too long together": {longest, rest + "c", longest, ""},
			"one byte too long":          {longest + "d", rest, "", rest},
		} {
			key := object(t, fmt.Sprintf("https://origin.example/%d/%x", size, name)).StorageKey("0")
			data := content(1, size)
			f.mustPut(t, key, data, storage.PutOptions{Header: http.Header{"Content-Disposition": {c.disposition}, "Cache-Control": {c.cacheControl}}})
			header := f.wantCopy(t, key, data).Header
			response, _ := f.fetch(t, key, http.MethodGet, nil)
			for from, header := range map[string]http.Header{"Stat": header, "GET": response.Header} {
				disposition, cacheControl := header.Get("Content-Disposition"), header.Get("Cache-Control")
				if disposition != c.wantDisposition || cacheControl != c.wantCacheControl {
					t.Errorf("%s, %d bytes: %s gave headers of %d and %d bytes, want %d and %d", name, size, from,
						len(disposition), len(cacheControl), len(c.wantDisposition), len(c.wantCacheControl))
				}
			}
		}
	}
}

func testServedLastModified(t *testing.T, f *fixture) {
	f.mustPut(t, aKey(t), []byte("x"), storage.PutOptions{Header: originHeader()})
	response, _ := f.fetch(t, aKey(t), http.MethodGet, nil)
	if got, want := response.Header.Get("Last-Modified"), originHeader().Get("Last-Modified"); got != want {
		t.Errorf("Last-Modified is %q, want %q", got, want)
	}
}

func testServedType(t *testing.T, f *fixture) {
	key := object(t, "https://origin.example/page.html").StorageKey("0")
	f.mustPut(t, key, []byte("<html><script>alert(1)</script>"), storage.PutOptions{})
	response, _ := f.fetch(t, key, http.MethodGet, nil)
	if got := response.Header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("Content-Type is %q", got)
	}
}

func testServedRange(t *testing.T, f *fixture) {
	for _, size := range []int64{1000, f.partBytes + 1000} {
		key := object(t, fmt.Sprintf("https://origin.example/%d", size)).StorageKey("0")
		data := content(1, size)
		f.mustPut(t, key, data, storage.PutOptions{Header: originHeader()})
		for value, want := range map[string][]byte{
			"bytes=0-0":     data[:1],
			"bytes=10-99":   data[10:100],
			"bytes=-7":      data[size-7:],
			"bytes=990-":    data[990:],
			"bytes=0-99999": data[:min(size, 100_000)],
		} {
			response, body := f.fetch(t, key, http.MethodGet, http.Header{"Range": {value}})
			if response.StatusCode != http.StatusPartialContent || !bytes.Equal(body, want) {
				t.Errorf("Range: %s answered %s with %d bytes, want 206 with %d", value, response.Status, len(body), len(want))
			}
			if total := "/" + strconv.FormatInt(size, 10); !strings.HasSuffix(response.Header.Get("Content-Range"), total) {
				t.Errorf("Range: %s answered Content-Range %q", value, response.Header.Get("Content-Range"))
			}
		}
		response, _ := f.fetch(t, key, http.MethodGet, http.Header{"Range": {fmt.Sprintf("bytes=%d-", size)}})
		if response.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("a range behind the end answered %s", response.Status)
		}
	}
}

func testServedConditional(t *testing.T, f *fixture) {
	f.mustPut(t, aKey(t), []byte("bytes"), storage.PutOptions{Header: originHeader()})
	response, _ := f.fetch(t, aKey(t), http.MethodGet, nil)
	etag := response.Header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) || len(etag) < 10 {
		t.Fatalf("ETag %q is no strong one", etag)
	}
	response, _ = f.fetch(t, aKey(t), http.MethodGet, http.Header{"If-None-Match": {etag}})
	if response.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match answered %s", response.Status)
	}
	response, _ = f.fetch(t, aKey(t), http.MethodGet, http.Header{"If-None-Match": {`"other"`}})
	if response.StatusCode != http.StatusOK {
		t.Errorf("If-None-Match of another ETag answered %s", response.Status)
	}
	since := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	response, _ = f.fetch(t, aKey(t), http.MethodGet, http.Header{"If-Modified-Since": {since}})
	if response.StatusCode != http.StatusNotModified && response.StatusCode != http.StatusOK {
		t.Errorf("If-Modified-Since answered %s", response.Status)
	}
	f.mustPut(t, aKey(t), []byte("other bytes"), storage.PutOptions{Replace: true})
	if response, _ = f.fetch(t, aKey(t), http.MethodGet, nil); response.Header.Get("ETag") == etag {
		t.Error("other bytes have the same ETag")
	}
}

func testOddNames(t *testing.T, f *fixture) {
	for i, name := range []string{
		"a%20b", "a+b", "a%2Bb", "gr%C3%B6%C3%9Fe", "%E6%97%A5%E6%9C%AC", "'quoted'", "(1)", "user@host", "a=b", "~home", "!",
		"a,b", "a..b", "..a", ".hidden", "...", "-rf", "a%2520b", "%25", "a%22b", "%C3%A9" + strings.Repeat("x", 190), strings.Repeat("n", 200),
		"e%CC%81", "%20", "a%20", "index.html", "x.json", "generation", "%F0%9F%98%80", "",
	} {
		o := object(t, "https://origin.example/dir/"+name)
		t.Run(o.FileName(), func(t *testing.T) {
			key := o.StorageKey("0")
			data := content(uint64(i), 100)
			f.mustPut(t, key, data, storage.PutOptions{})
			f.wantCopy(t, key, data)
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				response, body := f.fetch(t, key, method, nil)
				if response.StatusCode != http.StatusOK || method == http.MethodGet && !bytes.Equal(body, data) {
					t.Errorf("%s answered %s and %d bytes", method, response.Status, len(body))
				}
			}
		})
	}
}

func testSource(t *testing.T, f *fixture) {
	const secret = "OPEN-SESAME"
	for _, size := range []int64{10, f.partBytes + 1} {
		o := object(t, fmt.Sprintf("https://origin.example/%d?token=%s", size, secret))
		data := content(1, size)
		f.mustPut(t, o.StorageKey("0"), data, storage.PutOptions{Source: o.URL(), Header: originHeader()})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := f.fetch(t, o.StorageKey("0"), method, nil)
			if response.StatusCode != http.StatusOK || method == http.MethodGet && !bytes.Equal(body, data) {
				t.Errorf("%s answered %s and %d bytes", method, response.Status, len(body))
			}
			if strings.Contains(fmt.Sprint(response.Header, response.Trailer, response.Request.URL), secret) {
				t.Errorf("%s shows the source: %v", method, response.Header)
			}
		}
		f.wantCopy(t, o.StorageKey("0"), data)
	}
}

// What is remembered of an address must stay true.
func testURLStaysUnlessPrivate(t *testing.T, f *fixture) {
	first, err := f.Provider.URL(t.Context(), aKey(t), http.MethodGet)
	if err != nil {
		t.Fatal(err)
	}
	if first.Private {
		return
	}
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		if link, err := f.Provider.URL(t.Context(), aKey(t), method); err != nil || link != first {
			t.Errorf("URL for %s gave %+v, %v, want %+v as before", method, link, err, first)
		}
	}
}

func testURLUnknown(t *testing.T, f *fixture) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		link, err := f.Provider.URL(t.Context(), aKey(t), method)
		if err != nil || link.URL == "" {
			t.Errorf("URL of an unknown key for %s gave %q, %v", method, link.URL, err)
		}
		response, _ := f.fetch(t, aKey(t), method, nil)
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusForbidden {
			t.Errorf("%s of an unknown key answered %s", method, response.Status)
		}
	}
}
