package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// Every error has one form, but for those that net/http answers before any handler
// sees a request: docs/http.md lists them with their reason.
func TestShapesOfErrors(t *testing.T) {
	const redirect = "/v1/redirect/s3/us-east-1/"
	const host = " HTTP/1.1\r\nHost: a\r\n"
	tests := []struct {
		name, sends string
		status      int
		text        string // of net/http; "": the one form
	}{
		{"an unknown path", "GET /x" + host + "\r\n", 404, ""},
		{"an unknown path, HEAD", "HEAD /x" + host + "\r\n", 404, ""},
		{"an unknown object", "GET /objects/s3/us-east-1/x" + host + "\r\n", 404, ""},
		{"a method that is not allowed", "POST " + redirect + "x" + host + "Content-Length: 0\r\n\r\n", 405, ""},
		{"TRACE", "TRACE /" + host + "\r\n", 405, ""},
		{"a method of one's own", "BREW /" + host + "\r\n", 405, ""},
		{"CONNECT", "CONNECT a:443" + host + "\r\n", 404, ""},
		{"a star", "GET *" + host + "\r\n", 404, ""},
		{"an empty path", "GET http://a" + host + "\r\n", 404, ""},
		{"no region", "GET " + redirect + host + "\r\n", 404, ""},
		{"without a token", "DELETE /v1/purge/s3/us-east-1/x" + host + "\r\n", 403, ""},
		{"100-continue where no body is read", "POST /v1/warm" + host + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 403, ""},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, ""},
		{"HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", 404, ""},

		{"a percent sign alone", "GET " + redirect + "https://h/100%" + host + "\r\n", 400, "400 Bad Request"},
		{"a percent sign without digits", "GET " + redirect + "https://h/%zz" + host + "\r\n", 400, "400 Bad Request"},
		{"a control character in the path", "GET /\x01" + host + "\r\n", 400, "400 Bad Request"},
		{"no request line", "planted\r\n\r\n", 400, "400 Bad Request"},
		{"TLS", "\x16\x03\x01\x00\x05hello\r\n\r\n", 400, "400 Bad Request"},
		{"a method that is no token", "GE(T /" + host + "\r\n", 400, "400 Bad Request"},
		{"a header line without a colon", "GET /" + host + "planted\r\n\r\n", 400, "400 Bad Request"},
		{"a header name that is no token", "GET /" + host + "plan(ted: x\r\n\r\n", 400, "400 Bad Request"},
		{"a header value with NUL", "GET /" + host + "planted: \x00\r\n\r\n", 400, "400 Bad Request"},
		{"two lengths", "POST /" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400, "400 Bad Request"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "400 Bad Request: missing required Host header"},
		{"two hosts", "GET /" + host + "Host: b\r\n\r\n", 400, "400 Bad Request"},
		{"a malformed host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "400 Bad Request: malformed Host header"},
		{"an expectation", "GET /" + host + "Expect: planted\r\n\r\n", 417, ""},
		{"a header that is too large", "GET /" + host + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 431, "431 Request Header Fields Too Large"},
		{"an unknown transfer coding", "POST /" + host + "Transfer-Encoding: planted\r\n\r\n", 501, "Unsupported transfer encoding"},
		{"another version of HTTP", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "505 HTTP Version Not Supported: unsupported protocol version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serveConn(t)
				go io.WriteString(conn, test.sends)
				method, _, _ := strings.Cut(test.sends, " ")
				response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != test.status {
					t.Errorf("status %d, want %d", response.StatusCode, test.status)
				}
				if test.text != "" || test.status == http.StatusExpectationFailed {
					if string(body) != test.text || bytes.Contains(body, []byte("planted")) {
						t.Errorf("body %q, want %q", body, test.text)
					}
					return
				}
				wantErrorForm(t, response, body, method == http.MethodHead)
			})
		})
	}
}

func wantErrorForm(t *testing.T, response *http.Response, body []byte, isHead bool) {
	t.Helper()
	h := response.Header
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Request-Id") == "" {
		t.Errorf("header %v", h)
	}
	if isHead {
		return
	}
	var e map[string]string
	if err := json.Unmarshal(body, &e); err != nil || len(e) != 3 || e["code"] == "" || e["message"] == "" || e["request_id"] != h.Get("X-Request-Id") {
		t.Errorf("body %s (%v)", body, err)
	}
}
