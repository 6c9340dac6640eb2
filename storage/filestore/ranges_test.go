package filestore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloudmirror/storage"
)

// A rangeServer serves copies over HTTP, as clients see them.
type rangeServer struct {
	*testStore
	server *httptest.Server
}

func newRangeServer(t *testing.T) *rangeServer {
	t.Helper()
	s := newStore(t, t.TempDir())
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &rangeServer{s, server}
}

func (s *rangeServer) ask(t testing.TB, method, key string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+"/"+key, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := s.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

const tenBytes = "0123456789"

func TestRanges(t *testing.T) {
	s := newRangeServer(t)
	key, empty := object(t).StorageKey("0"), object(t).StorageKey("1")
	mustPut(t, s, key, tenBytes, storage.PutOptions{})
	mustPut(t, s, empty, "", storage.PutOptions{})
	const none = "" // no Content-Range, which goes with a 200
	for value, c := range map[string]struct {
		status       int
		contentRange string
		body         string
	}{
		"bytes=0-0":       {206, "bytes 0-0/10", "0"},
		"bytes=2-4":       {206, "bytes 2-4/10", "234"},
		"bytes=7-":        {206, "bytes 7-9/10", "789"},
		"bytes=-3":        {206, "bytes 7-9/10", "789"},
		"bytes=0-9":       {206, "bytes 0-9/10", tenBytes},
		"bytes=0-":        {206, "bytes 0-9/10", tenBytes},
		"BYTES=2-4":       {206, "bytes 2-4/10", "234"}, // section 14.1
		"bytes=,2-4":      {206, "bytes 2-4/10", "234"}, // section 5.6.1.2
		"bytes=2-4 ,\t, ": {206, "bytes 2-4/10", "234"},
		"bytes=002-04":    {206, "bytes 2-4/10", "234"},

		"ends beyond the copy: bytes=8-10":                         {206, "bytes 8-9/10", "89"},
		"ends beyond the copy: bytes=8-99999999999999999999999999": {206, "bytes 8-9/10", "89"},
		"more than there is: bytes=-11":                            {206, "bytes 0-9/10", tenBytes},
		"more than there is: bytes=-99999999999999999999999999":    {206, "bytes 0-9/10", tenBytes},

		"not satisfiable: bytes=10-":                         {416, "bytes */10", ""},
		"not satisfiable: bytes=10-12":                       {416, "bytes */10", ""},
		"not satisfiable: bytes=99999999999999999999999999-": {416, "bytes */10", ""},
		"not satisfiable: bytes=-0":                          {416, "bytes */10", ""},
		"not satisfiable: bytes=10-,-0,20-30":                {416, "bytes */10", ""},
		"one of two is satisfiable: bytes=10-20,2-4":         {206, "bytes 2-4/10", "234"},
		"one of two is satisfiable: bytes=-0, 9-":            {206, "bytes 9-9/10", "9"},

		"another unit: lines=1-2":           {200, none, tenBytes},
		"another unit: bytes2=1-2":          {200, none, tenBytes},
		"no unit: 1-2":                      {200, none, tenBytes},
		"no unit: =1-2":                     {200, none, tenBytes},
		"no range: bytes":                   {200, none, tenBytes},
		"no range: bytes=":                  {200, none, tenBytes},
		"no range: bytes=,":                 {200, none, tenBytes},
		"no range: bytes=-":                 {200, none, tenBytes},
		"no range: bytes=5":                 {200, none, tenBytes},
		"no range: bytes=a-b":               {200, none, tenBytes},
		"no range: bytes=+1-2":              {200, none, tenBytes},
		"no range: bytes=--5":               {200, none, tenBytes},
		"no range: bytes=1-2-3":             {200, none, tenBytes},
		"no range: bytes=0x1-2":             {200, none, tenBytes},
		"ends before it begins: bytes=5-2":  {200, none, tenBytes},
		"one of two is none: bytes=1-2,5-2": {200, none, tenBytes},
		"spaces inside: bytes=1 - 2":        {200, none, tenBytes},
		"spaces inside: bytes = 1-2":        {200, none, tenBytes},
		"other separators: bytes=1-2;4-5":   {200, none, tenBytes},

		"more bytes than the copy has: bytes=0-,0-0":  {200, none, tenBytes},
		"more bytes than the copy has: bytes=0-5,5-9": {200, none, tenBytes},
	} {
		_, header, found := strings.Cut(value, ": ")
		if !found {
			header = value
		}
		response, body := s.ask(t, http.MethodGet, key, http.Header{"Range": {header}})
		if response.StatusCode != c.status || response.Header.Get("Content-Range") != c.contentRange {
			t.Errorf("%s: answered %d, Content-Range %q, want %d, %q", value, response.StatusCode, response.Header.Get("Content-Range"), c.status, c.contentRange)
		}
		if c.status < 400 && (body != c.body || response.ContentLength != int64(len(c.body)) || response.Header.Get("Accept-Ranges") != "bytes") {
			t.Errorf("%s: got %q, length %d, Accept-Ranges %q, want %q", value, body, response.ContentLength, response.Header.Get("Accept-Ranges"), c.body)
		}
		response, body = s.ask(t, http.MethodHead, key, http.Header{"Range": {header}})
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Range") != "" || response.ContentLength != 10 || body != "" {
			t.Errorf("%s: HEAD answered %d, Content-Range %q, length %d, body %q, want the whole", value, response.StatusCode, response.Header.Get("Content-Range"), response.ContentLength, body)
		}
		response, body = s.ask(t, http.MethodGet, empty, http.Header{"Range": {header}})
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Range") != "" || body != "" {
			t.Errorf("%s: an empty copy answered %d, Content-Range %q", value, response.StatusCode, response.Header.Get("Content-Range"))
		}
	}
	if response, body := s.ask(t, http.MethodGet, key, http.Header{"Range": {"bytes=1-2", "bytes=4-5"}}); response.StatusCode != http.StatusOK || body != tenBytes {
		t.Errorf("two Range headers answered %s and %q, want the whole", response.Status, body)
	}
}

func TestRangesWithConditions(t *testing.T) {
	s := newRangeServer(t)
	key := object(t).StorageKey("0")
	const modified, later = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:01 GMT"
	mustPut(t, s, key, tenBytes, storage.PutOptions{Header: http.Header{"Last-Modified": {modified}}})
	response, _ := s.ask(t, http.MethodHead, key, nil)
	etag := response.Header.Get("ETag")
	for name, c := range map[string]struct {
		values string // of Range
		header http.Header
		status int
		body   string
	}{
		"If-Range of this copy":             {"bytes=2-4", http.Header{"If-Range": {etag}}, 206, "234"},
		"If-Range of another":               {"bytes=2-4", http.Header{"If-Range": {`"other"`}}, 200, tenBytes},
		"a weak If-Range":                   {"bytes=2-4", http.Header{"If-Range": {"W/" + etag}}, 200, tenBytes},
		"If-Range of this time":             {"bytes=2-4", http.Header{"If-Range": {modified}}, 206, "234"},
		"If-Range of another time":          {"bytes=2-4", http.Header{"If-Range": {later}}, 200, tenBytes},
		"If-Range that is none":             {"bytes=2-4", http.Header{"If-Range": {"yesterday"}}, 200, tenBytes},
		"no range, If-Range of this copy":   {"bytes=10-", http.Header{"If-Range": {etag}}, 416, ""},
		"no range, If-Range of another":     {"bytes=10-", http.Header{"If-Range": {`"other"`}}, 200, tenBytes},
		"no range, and the client has it":   {"bytes=10-", http.Header{"If-None-Match": {etag}}, 304, ""},
		"no range, and an unmet condition":  {"bytes=10-", http.Header{"If-Match": {`"other"`}}, 412, ""},
		"a range, and an unmet condition":   {"bytes=2-4", http.Header{"If-Match": {`"other"`}}, 412, ""},
		"a range, and a condition that is":  {"bytes=2-4", http.Header{"If-Match": {etag}}, 206, "234"},
		"a range, and the client has it":    {"bytes=2-4", http.Header{"If-Modified-Since": {modified}}, 304, ""},
		"a range, and changed since before": {"bytes=2-4", http.Header{"If-Unmodified-Since": {"Wed, 21 Oct 2015 07:27:59 GMT"}}, 412, ""},
	} {
		header := c.header.Clone()
		header.Set("Range", c.values)
		response, body := s.ask(t, http.MethodGet, key, header)
		if response.StatusCode != c.status || c.status < 300 && body != c.body {
			t.Errorf("%s: answered %d with %q, want %d with %q", name, response.StatusCode, body, c.status, c.body)
		}
	}
}

// Several ranges are answered in parts, up to sixteen and all bytes of the copy.
func TestSeveralRanges(t *testing.T) {
	s := newRangeServer(t)
	key := object(t).StorageKey("0")
	data := strings.Repeat("0123456789", 100)
	mustPut(t, s, key, data, storage.PutOptions{Header: http.Header{"Content-Type": {"text/plain"}}})
	ask := func(count int) (*http.Response, string) {
		values := make([]string, count)
		for i := range values {
			values[i] = fmt.Sprintf("%d-%d", 10*i, 10*i+2)
		}
		return s.ask(t, http.MethodGet, key, http.Header{"Range": {"bytes=" + strings.Join(values, ", ")}})
	}
	response, body := ask(16)
	kind, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode != http.StatusPartialContent || kind != "multipart/byteranges" || err != nil || response.ContentLength != int64(len(body)) {
		t.Fatalf("answered %s, %v, %v", response.Status, response.Header, err)
	}
	parts := multipart.NewReader(strings.NewReader(body), parameters["boundary"])
	for i := range 16 {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if want := fmt.Sprintf("bytes %d-%d/1000", 10*i, 10*i+2); err != nil || string(content) != "012" || part.Header.Get("Content-Range") != want || part.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("part %d is %q, %v, %v, want Content-Range %s", i, content, part.Header, err, want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("there are more parts: %v", err)
	}
	if response, body := ask(17); response.StatusCode != http.StatusOK || body != data {
		t.Errorf("17 ranges answered %s and %d bytes, want the whole", response.Status, len(body))
	}
}

// No answer is much larger than the copy, whatever is asked of whichever copy.
func TestKillerRanges(t *testing.T) {
	s := newRangeServer(t)
	key := object(t).StorageKey("0")
	data := strings.Repeat("x", 64<<10)
	mustPut(t, s, key, data, storage.PutOptions{Header: http.Header{
		"Content-Type": {"text/plain; a=" + strings.Repeat("b", storage.MaxStandardValueBytes-len("text/plain; a="))},
	}})
	for name, value := range map[string]string{
		"as many as a header has room for": "bytes=0-0" + strings.Repeat(",0-0", 14_000),
		"empty elements":                   "bytes=0-0" + strings.Repeat(",", 60_000),
		"the end many times":               "bytes=-1" + strings.Repeat(",-1", 14_000),
		"overlapping ones":                 "bytes=0-" + strings.Repeat(",1-", 15),
		"sixteen":                          "bytes=0-0" + strings.Repeat(",0-4000", 15),
	} {
		response, body := s.ask(t, http.MethodGet, key, http.Header{"Range": {value}})
		if response.StatusCode >= 300 || len(body) > len(data)+16*(storage.MaxStandardValueBytes+300) {
			t.Errorf("%s: answered %s and %d bytes for a copy of %d", name, response.Status, len(body), len(data))
		}
	}
}

// Whatever the header, what is answered is what it asks for, and no more.
func TestRangesProperties(t *testing.T) {
	s := newRangeServer(t)
	key := object(t).StorageKey("0")
	mustPut(t, s, key, tenBytes, storage.PutOptions{})
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.OneOf(rapid.StringMatching(`bytes=[0-9]{0,2}-[0-9]{0,2}(,[0-9]{0,2}-[0-9]{0,2}){0,3}`), rapid.StringMatching(`(bytes|x)?=?[-, 0-9=]{0,8}`)).Draw(r, "Range")
		response, body := s.ask(t, http.MethodGet, key, http.Header{"Range": {value}})
		var first, last int
		n, _ := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/10", &first, &last)
		switch {
		case response.StatusCode == http.StatusOK && body == tenBytes:
		case response.StatusCode == http.StatusPartialContent && n == 2 && body == tenBytes[first:last+1]:
		case response.StatusCode == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Type"), "multipart/byteranges") && strings.Contains(value, ","):
		case response.StatusCode == http.StatusRequestedRangeNotSatisfiable && response.Header.Get("Content-Range") == "bytes */10":
		default:
			r.Fatalf("Range: %s answered %s, %v, %q", value, response.Status, response.Header, body)
		}
	})
}

// Errors of a copy have the shape of all errors, and none of the copy's headers.
func TestErrorsOfCopiesHaveOneShape(t *testing.T) {
	s := newRangeServer(t)
	key := object(t).StorageKey("0")
	mustPut(t, s, key, tenBytes, storage.PutOptions{Header: http.Header{
		"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}, "Content-Disposition": {"attachment"}, "Cache-Control": {"public"},
		"Content-Language": {"de"}, "Last-Modified": {"Wed, 21 Oct 2015 07:28:00 GMT"}, "X-Amz-Meta-A": {"b"},
	}})
	for name, c := range map[string]struct {
		method, key string
		header      http.Header
		status      int
		code        string
	}{
		"a range behind the end": {http.MethodGet, key, http.Header{"Range": {"bytes=10-"}}, 416, "RangeNotSatisfiable"},
		"an unmet If-Match":      {http.MethodGet, key, http.Header{"If-Match": {`"other"`}}, 412, "PreconditionFailed"},
		"the same of a HEAD":     {http.MethodHead, key, http.Header{"If-Match": {`"other"`}}, 412, ""},
		"no copy":                {http.MethodGet, key + "x", nil, 404, "NoSuchCopy"},
		"no copy, of a HEAD":     {http.MethodHead, key + "x", nil, 404, ""},
		"another method":         {http.MethodPost, key, nil, 405, "MethodNotAllowed"},
	} {
		response, text := s.ask(t, c.method, c.key, c.header)
		h := response.Header
		if response.StatusCode != c.status || h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Length") == "" {
			t.Errorf("%s: answered %s with %v", name, response.Status, h)
		}
		for _, of := range []string{"ETag", "Last-Modified", "Content-Encoding", "Content-Disposition", "Content-Language", "X-Amz-Meta-A"} {
			if h.Get(of) != "" {
				t.Errorf("%s: the error has the copy's %s", name, of)
			}
		}
		var body struct{ Code, Message string }
		switch err := json.Unmarshal([]byte(text), &body); {
		case c.method == http.MethodHead && text != "":
			t.Errorf("%s: has the body %q", name, text)
		case c.method != http.MethodHead && (err != nil || body.Code != c.code || body.Message == ""):
			t.Errorf("%s: the body is %q, want the code %s", name, text, c.code)
		}
	}
}
