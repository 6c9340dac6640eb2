package frontend_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cloudmirror"
	"cloudmirror/frontend"
)

// raw sends a request line as it is and returns the answer.
func raw(t testing.TB, address, requestLine string) *http.Response {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: mirror.test\r\nConnection: close\r\n\r\n", requestLine); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(requestLine, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %.80q: %v", requestLine, err)
	}
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(all)))
	return resp
}

// Request targets as clients and proxies really send them.
func TestRawTargets(t *testing.T) {
	w := newWorld(t)
	w.present()
	server := httptest.NewServer(w.frontend.Handler())
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	const base = "/v1/redirect/s3/us-east-1/"
	good := mustObject(originURL).Target()
	tests := []struct {
		name, line string
		status     int
		code       string // "": any, of net/http's own errors
	}{
		{"encoded", "GET " + base + good + " HTTP/1.1", 302, ""},
		{"literal", "GET " + base + originURL + " HTTP/1.1", 302, ""},
		{"literal, slashes merged", "GET " + base + "https:/origin.test/release/tool-1.0.tar.gz?signature=secret HTTP/1.1", 302, ""},
		{"a file name", "GET " + base + good + "/tool-1.0.tar.gz HTTP/1.1", 302, ""},
		{"a file name with all kinds of bytes", "GET " + base + good + "/%00%2F..;:@%3F*~+ HTTP/1.1", 302, ""},
		{"a file name in the absolute form", "GET http://mirror.test" + base + good + "/tool HTTP/1.1", 302, ""},
		{"a file name of 255 bytes", "GET " + base + good + "/" + strings.Repeat("-", 255) + " HTTP/1.1", 302, ""},
		{"a file name of 256 bytes", "GET " + base + good + "/" + strings.Repeat("-", 256) + " HTTP/1.1", 400, "InvalidURL"},
		{"an empty file name", "GET " + base + mustObject("https://origin.test/a").Target() + "/ HTTP/1.1", 400, "InvalidURL"},
		{"a file name with a slash", "GET " + base + good + "/a/b HTTP/1.1", 400, "InvalidURL"},
		{"an encoded slash separates nothing", "GET " + base + good + "%2Ftool-1.0.tar.gz HTTP/1.1", 400, "InvalidURL"},
		{"absolute form", "GET http://mirror.test" + base + good + " HTTP/1.1", 302, ""},
		{"absolute form, literal", "GET http://mirror.test" + base + originURL + " HTTP/1.1", 302, ""},
		{"absolute form without a path", "GET http://mirror.test HTTP/1.1", 404, "NotFound"},
		{"absolute form with a query only", "GET http://mirror.test?x HTTP/1.1", 404, "NotFound"},
		{"HEAD", "HEAD " + base + good + " HTTP/1.1", 302, ""},
		{"two slashes in front", "GET /" + base + good + " HTTP/1.1", 404, "NotFound"},
		{"two slashes within", "GET /v1/redirect//s3/us-east-1/" + good + " HTTP/1.1", 404, "UnknownBackend"},
		{"dot segments are not resolved", "GET /v1/../v1/redirect/s3/us-east-1/" + good + " HTTP/1.1", 404, "NotFound"},
		{"an encoded slash is none", "GET /v1/redirect/s3%2Fus-east-1/" + good + " HTTP/1.1", 404, "NotFound"},
		{"an encoded route", "GET /v1/%72edirect/s3/us-east-1/" + good + " HTTP/1.1", 404, "NotFound"},
		{"a query in the region", "GET /v1/redirect/s3/us-east-1?" + good + " HTTP/1.1", 404, "NotFound"},
		{"a query with slashes in the service", "GET /v1/redirect/s3?/us-east-1/" + good + " HTTP/1.1", 404, "UnknownBackend"},
		{"empty URL", "GET " + base + " HTTP/1.1", 400, "InvalidURL"},
		{"only a question mark", "GET " + base + "? HTTP/1.1", 400, "InvalidURL"},
		{"a bad escape", "GET " + base + "%zz HTTP/1.1", 400, ""},
		{"a bad escape in a literal URL's query", "GET " + base + "https://origin.test/?%zz HTTP/1.1", 400, "InvalidURL"},
		{"NUL", "GET " + base + "https%3A%2F%2Forigin.test%2F%00 HTTP/1.1", 400, "InvalidURL"},
		{"line breaks", "GET " + base + "https%3A%2F%2Forigin.test%2F%0d%0aX-Evil%3A1 HTTP/1.1", 400, "InvalidURL"},
		{"a backslash", "GET " + base + `https://origin.test\@evil.test/ HTTP/1.1`, 400, "InvalidURL"},
		{"raw UTF-8", "GET " + base + "https://origin.test/ä HTTP/1.1", 400, "InvalidURL"},
		{"userinfo", "GET " + base + "https://origin.test@evil.test/ HTTP/1.1", 400, "InvalidURL"},
		{"dot segments", "GET " + base + "https://origin.test/a/../b HTTP/1.1", 400, "InvalidURL"},
		{"dot segments, encoded", "GET " + base + "https://origin.test/a/%2e%2e%2fb HTTP/1.1", 400, "InvalidURL"},
		{"dot segments in an encoded URL", "GET " + base + "https%3A%2F%2Forigin.test%2Fa%2F..%2Fb HTTP/1.1", 400, "InvalidURL"},
		{"another host", "GET " + base + "https://evil.test/ HTTP/1.1", 403, "URLNotAllowed"},
		{"70 KB", "GET " + base + "https://origin.test/" + strings.Repeat("a", 70<<10) + " HTTP/1.1", 400, "InvalidURL"},
		{"70 KB of base64", "GET " + base + strings.Repeat("aHR0", 70<<8) + " HTTP/1.1", 400, "InvalidURL"},
		{"OPTIONS of the server", "OPTIONS * HTTP/1.1", 200, ""},
		{"a lone star", "GET * HTTP/1.1", 404, ""},
		{"CONNECT", "CONNECT origin.test:443 HTTP/1.1", 404, "NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := raw(t, address, tt.line)
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.status == http.StatusFound && !strings.HasPrefix(resp.Header.Get("Location"), publicURL+"/objects/") {
				t.Errorf("Location %q, want the copy", resp.Header.Get("Location"))
			}
			if tt.code == "" {
				return
			}
			if got := decode[body](t, resp); got.Code != tt.code || got.RequestID == "" || got.Message == "" {
				t.Errorf("body %+v, want code %s", got, tt.code)
			}
		})
	}
}

// FuzzTarget sends arbitrary rests of a request target. Whatever they are, there
// is no panic and no 5xx, and a client is redirected only to the copies and to
// what the patterns allow.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{
		"", "?", "!!", originURL, "https:/origin.test/a", mustObject(originURL).Target(), mustObject(originURL).Target() + "?wait=1s&fallback=none",
		"https://origin.test/a/%2e%2e/b", "https%3A%2F%2Forigin.test%2Fa%2F..%2Fb", "https%3A%2F%2Forigin.test%2F%00", "https://origin.test@evil.test/", "https://evil.test#https://origin.test/", "https:///x", "//", "%zz", "aHR0cHM6Ly8",
		mustObject(originURL).Target() + "/tool-1.0.tar.gz?wait=0", mustObject("https://origin.test/abc").Target() + "/YWFh", mustObject("https://origin.test/abc").Target() + "/",
		mustObject("https://origin.test/abc").Target() + "?rev=1", "https%3A//origin.test/f.whl?rev=1", "https%3A//origin.test/f#x?rev=1", "https%3A//origin.test?@evil.test/",
	} {
		f.Add(seed)
	}
	w := newWorld(f, withService(func(s *frontend.Service) { s.Mode = cloudmirror.ModeRedirectNow }))
	allowed := pattern(f, `^https://origin\.test(:[0-9]+)?/`)
	f.Fuzz(func(t *testing.T, rest string) {
		target := "/v1/redirect/s3/us-east-1/" + rest
		parsed, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(target, " \r\n\t") {
			t.Skip("net/http refuses it")
		}
		r := &http.Request{Method: http.MethodGet, RequestURI: target, URL: parsed, Host: "mirror.test", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}}
		recorder := httptest.NewRecorder()
		w.frontend.Handler().ServeHTTP(recorder, r.WithContext(t.Context()))
		switch recorder.Code {
		case http.StatusFound:
			o, err := cloudmirror.ParseObject(recorder.Header().Get("Location"))
			if err != nil || !allowed.Match(o) {
				t.Errorf("redirected to %q", recorder.Header().Get("Location"))
			}
		case http.StatusBadRequest, http.StatusForbidden, http.StatusGatewayTimeout:
		default:
			t.Errorf("status %d", recorder.Code)
		}
	})
}
