package origin_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
)

// Most rows depend on texts of net/http, which a new version of Go may change:
// what they are then taken for is told by the code.
func TestMalformedAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	lasting := cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true}
	passing := cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed}
	truncated := cloudmirror.Failure{Code: cloudmirror.CodeOriginTruncated}
	tests := map[string]struct {
		answer, message string
		want            cloudmirror.Failure
	}{
		"a header line without a colon":      {ok + "no colon planted\r\nContent-Length: 1\r\n\r\nx", "a malformed header line", lasting},
		"a header line that begins blank":    {ok + " planted: x\r\n\r\n", "a malformed header line", lasting},
		"a header without a name":            {ok + ": planted\r\n\r\n", "a malformed header line", lasting},
		"no status line":                     {"planted\r\n\r\n", "a malformed status line", lasting},
		"a status of letters":                {"HTTP/1.1 planted\r\n\r\n", "a malformed status line", lasting},
		"a status of two digits":             {"HTTP/1.1 20 planted\r\n\r\n", "a malformed status line", lasting},
		"another protocol":                   {"PLANTED/1.1 200 OK\r\n\r\n", "a malformed status line", lasting},
		"a length of letters":                {ok + "Content-Length: planted\r\n\r\n", "Content-Length", lasting},
		"a negative length":                  {ok + "Content-Length: -1\r\n\r\n", "Content-Length", lasting},
		"an empty length":                    {ok + "Content-Length:\r\n\r\n", "Content-Length", lasting},
		"two lengths":                        {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "Content-Length", lasting},
		"an unknown transfer coding":         {ok + "Transfer-Encoding: planted\r\n\r\n", "transfer coding", lasting},
		"two transfer codings":               {ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: planted\r\n\r\n", "transfer coding", lasting},
		"a trailer of a forbidden name":      {ok + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n", "a malformed trailer", lasting},
		"a trailer line without a colon":     {chunked + "1\r\nx\r\n0\r\nplanted\r\n\r\n", "a malformed header line", lasting},
		"a trailer without end":              {chunked + "0\r\nPlanted: " + strings.Repeat("x", 8<<10), "a malformed trailer", lasting},
		"a header of 300 KiB":                {ok + "Planted: " + strings.Repeat("x", 300<<10) + "\r\n\r\n", "a header that is too large", lasting},
		"a chunk length of letters":          {chunked + "planted\r\n", "a malformed chunk", passing},
		"a chunk without length":             {chunked + "\r\nplanted\r\n", "a malformed chunk", passing},
		"a chunk length of 20 digits":        {chunked + "11111111111111111111\r\n", "a malformed chunk", passing},
		"a chunk that is longer than it was": {chunked + "1\r\nplanted\r\n0\r\n\r\n", "a malformed chunk", passing},
		"a chunk line with LF alone":         {chunked + "1\nx\n", "a malformed chunk", passing},
		"a chunk line with CR alone":         {chunked + "1\rx\r\n", "a malformed chunk", passing},
		"a chunk line of 8 KiB":              {chunked + "1;" + strings.Repeat("x", 8<<10) + "\r\n", "a malformed chunk", passing},
		"too much beside the chunks":         {chunked + strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\nx\r\n", 500), "a malformed chunk", passing},
		// net/http cannot tell this from a line without a colon.
		"cut in the name of a header":  {ok + "Planted", "a malformed header line", lasting},
		"cut in the value of a header": {ok + "Planted: x", "", truncated},
		"cut behind the header":        {ok + "Content-Length: 5\r\n\r\n", "", truncated},
		"cut in a chunk":               {chunked + "5\r\nxx", "", truncated},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := origintest.Start(t)
			server.Set("/a", origintest.Behaviour{Raw: test.answer})
			_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), server.Object(t, "/a"))
			f := wantFailure(t, err, test.want)
			isMalformed := strings.HasPrefix(f.Message, "the origin's answer is no valid HTTP: ")
			if isMalformed != (test.message != "") || !strings.Contains(f.Message, test.message) || strings.Contains(f.Message, "lanted") {
				t.Errorf("message %q, want %q", f.Message, test.message)
			}
			if n := server.Count(http.MethodGet, "/a"); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestAnOriginThatDoesNotSpeakTLS(t *testing.T) {
	plain := origintest.Start(t)
	_, _, err := fetch(t, newClient(t, origin.Options{}), anywhere(t), object(t, strings.Replace(plain.URL, "http:", "https:", 1)+"/a"))
	if f := wantFailure(t, err, cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true}); !strings.Contains(f.Message, "TLS") {
		t.Errorf("message %q", f.Message)
	}
}

// Over HTTP/2 the connection is well, and either side ends the stream.
func TestMalformedAnswersOfHTTP2(t *testing.T) {
	lasting := cloudmirror.Failure{Code: cloudmirror.CodeOriginMalformed, Permanent: true}
	tests := map[string]struct {
		header [][2]string // the origin ends the stream behind it, as one of a malformed request
		want   cloudmirror.Failure
	}{
		"a name in capitals":  {[][2]string{{":status", "200"}, {"Planted", "x"}}, lasting},
		"a line break":        {[][2]string{{":status", "200"}, {"planted", "x\r\ny"}}, lasting},
		"ended by the origin": {[][2]string{{":status", "200"}, {"content-length", "5"}}, cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(nil)
			server.TLS = &tls.Config{NextProtos: []string{"h2"}}
			server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
				"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { answerStream(conn, test.header) },
			}
			server.StartTLS()
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			_, _, err := fetch(t, newClient(t, origin.Options{RootCAs: roots}), anywhere(t), object(t, server.URL+"/a"))
			wantFailure(t, err, test.want)
		})
	}
}

// answerStream answers the streams of an HTTP/2 connection with a header, ends
// them by PROTOCOL_ERROR, and reads on until the client leaves.
func answerStream(conn *tls.Conn, header [][2]string) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	err := framer.WriteSettings()
	for err == nil {
		var frame http2.Frame
		if frame, err = framer.ReadFrame(); err != nil {
			return
		}
		if _, isRequest := frame.(*http2.HeadersFrame); !isRequest {
			continue
		}
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, field := range header {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // a buffer takes all
		}
		id := frame.Header().StreamID
		err = errors.Join(
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true}),
			framer.WriteRSTStream(id, http2.ErrCodeProtocol),
		)
	}
}
