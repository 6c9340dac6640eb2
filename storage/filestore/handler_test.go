package filestore_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
)

func object(t testing.TB) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject("https://origin.example/dir/page.html")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustPut(t testing.TB, s storage.Provider, key, data string, o storage.PutOptions) {
	t.Helper()
	o.SizeBytes = int64(len(data))
	if _, err := s.Put(t.Context(), key, strings.NewReader(data), o); err != nil {
		t.Fatal(err)
	}
}

// do asks the store's handler as the application does, its prefix stripped.
func (s *testStore) do(method, path string, header http.Header) *http.Response {
	request := httptest.NewRequestWithContext(context.Background(), method, "/", http.NoBody)
	request.URL.Path = path
	request.Header = header
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestHandlerShowsCopiesAlone(t *testing.T) {
	s := newStore(t, t.TempDir())
	o := object(t)
	mustPut(t, s, o.StorageKey("0"), "copy", storage.PutOptions{Source: o.URL()})
	mustPut(t, s, o.StorageKey("expired"), "copy", storage.PutOptions{ExpiresAt: time.Now().Add(-time.Second)})
	mustPut(t, s, o.MarkerKey(), "0", storage.PutOptions{})
	if err := os.WriteFile(s.dir+"/tmp/left", []byte("over"), 0o600); err != nil {
		t.Fatal(err)
	}
	hash := o.Hash()
	for name, path := range map[string]string{
		"an unknown copy":          "/" + o.StorageKey("1"),
		"an expired copy":          "/" + o.StorageKey("expired"),
		"a marker":                 "/" + o.MarkerKey(),
		"the root":                 "/",
		"nothing":                  "",
		"a directory of an object": "/" + hash,
		"the same, with a slash":   "/" + hash + "/",
		"a directory of copies":    "/" + hash + "/0/",
		"a temporary file":         "/tmp/left",
		"a temporary file below":   "/" + hash + "/../../../tmp/left",
		"a file by its own path":   "/copies/" + hash[:2] + "/" + o.StorageKey("0"),
		"the directory above":      "/" + hash + "/0/..",
		"a file of the system":     "/../../../../../../etc/passwd",
		"a NUL":                    "/" + o.StorageKey("0") + "\x00",
		"a backslash":              "/" + hash + `/0/..\..\x`,
		"upper case":               "/" + strings.ToUpper(o.StorageKey("0")),
		"a doubled slash":          "//" + o.StorageKey("0"),
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response := s.do(method, path, nil)
			if response.StatusCode != http.StatusNotFound || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s of %s answered %s, Cache-Control %q", method, name, response.Status, response.Header.Get("Cache-Control"))
			}
			if method == http.MethodGet {
				var body struct{ Code, Message string }
				if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Code != "NoSuchCopy" || body.Message == "" {
					t.Errorf("the answer to %s is %+v, %v", name, body, err)
				}
			}
		}
	}
	if got := s.do(http.MethodGet, "/"+o.StorageKey("0"), nil).StatusCode; got != http.StatusOK {
		t.Errorf("the copy itself answered %d", got)
	}
}

func TestHandlerRefusesOtherMethods(t *testing.T) {
	s := newStore(t, t.TempDir())
	mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		response := s.do(method, "/"+object(t).StorageKey("0"), nil)
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s answered %s, Allow %q", method, response.Status, response.Header.Get("Allow"))
		}
	}
}

func TestHandlerKeepsOriginsFromRunningHere(t *testing.T) {
	s := newStore(t, t.TempDir())
	mustPut(t, s, object(t).StorageKey("0"), "<script>", storage.PutOptions{Header: http.Header{
		"Content-Type": {"text/html"}, "Content-Security-Policy": {"default-src *"}, "Set-Cookie": {"a=b"},
	}})
	for _, path := range []string{object(t).StorageKey("0"), "missing"} {
		header := s.do(http.MethodGet, "/"+path, nil).Header
		if header.Get("Content-Security-Policy") != "sandbox" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Set-Cookie") != "" {
			t.Errorf("%s is answered with %v", path, header)
		}
	}
}

func TestHandlerTellsEncodedLengths(t *testing.T) {
	s := newStore(t, t.TempDir())
	mustPut(t, s, object(t).StorageKey("0"), "0123456789", storage.PutOptions{Header: http.Header{"Content-Encoding": {"gzip"}}})
	for name, c := range map[string]struct {
		header http.Header
		status int
		length string
	}{
		"whole":                   {nil, http.StatusOK, "10"},
		"a range":                 {http.Header{"Range": {"bytes=2-4"}}, http.StatusPartialContent, "3"},
		"a range of another":      {http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"other"`}}, http.StatusOK, "10"},
		"what the client has got": {http.Header{"If-Modified-Since": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}, http.StatusNotModified, ""},
	} {
		response := s.do(http.MethodGet, "/"+object(t).StorageKey("0"), c.header)
		if response.StatusCode != c.status || response.Header.Get("Content-Length") != c.length {
			t.Errorf("%s: answered %s with length %q, want %d with %q", name, response.Status, response.Header.Get("Content-Length"), c.status, c.length)
		}
	}
}

// A readerFrom is a ResponseWriter as net/http has it, that notes what it could
// send with sendfile.
type readerFrom struct {
	*httptest.ResponseRecorder
	sendable bool
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		_, w.sendable = limited.R.(syscall.Conn) // see net.sendFile
	}
	return io.Copy(w.ResponseRecorder, r)
}

func TestHandlerSendsFiles(t *testing.T) {
	s := newStore(t, t.TempDir())
	for name, header := range map[string]http.Header{"plain": nil, "encoded": {"Content-Encoding": {"gzip"}}} {
		mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{Header: header, Replace: true})
		w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+object(t).StorageKey("0"), http.NoBody))
		if !w.sendable || w.Body.String() != "copy" {
			t.Errorf("%s: sendfile possible: %t, sent %q", name, w.sendable, w.Body)
		}
	}
}

func TestHandlerToldOfBrokenStorage(t *testing.T) {
	s := newStore(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	response := s.do(http.MethodGet, "/"+object(t).StorageKey("0"), nil)
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %s, want 503 and no 404", response.Status)
	}
}
