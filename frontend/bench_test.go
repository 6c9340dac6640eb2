package frontend_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"cloudmirror"
)

// BenchmarkHit compares the redirect to a present copy with the least that Echo
// can do: one route, a map look-up and the same headers and body. "handler" is
// the code alone; "http" is a whole request over the loopback, where cpu-ns/op
// counts this process, the client in it included.
func BenchmarkHit(b *testing.B) {
	w := newWorld(b)
	w.present()
	recorder := httptest.NewRecorder()
	w.frontend.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, redirectPath(""), nil))
	for _, server := range []struct {
		name    string
		handler http.Handler
		near    bool
	}{
		{"bare echo", bareEcho(recorder.Header(), recorder.Body.String()), false},
		{"frontend", w.frontend.Handler(), false},
		{"frontend near", w.frontend.Handler(), true},
	} {
		w.near.isOn.Store(server.near)
		b.Run(server.name+"/handler", func(b *testing.B) { benchmarkHandler(b, server.handler) })
		b.Run(server.name+"/http", func(b *testing.B) { benchmarkHTTP(b, server.handler) })
	}
}

func bareEcho(header http.Header, body string) http.Handler {
	e := echo.New()
	known := map[string]http.Header{mustObject(originURL).Target(): header}
	e.GET("/v1/redirect/:service/:region/:url", func(c echo.Context) error {
		found, ok := known[c.Param("url")]
		if !ok {
			return echo.ErrNotFound
		}
		h := c.Response().Header()
		for _, name := range []string{"Location", "Cache-Control", "Cache-Status", "Content-Type", "Content-Length", "X-Request-Id"} {
			h.Set(name, found.Get(name))
		}
		c.Response().WriteHeader(http.StatusFound)
		_, err := io.WriteString(c.Response().Writer, body)
		return err
	})
	return e
}

// A sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header               { return s.header }
func (s *sink) WriteHeader(status int)            { s.status = status }
func (s *sink) Write(p []byte) (int, error)       { return len(p), nil }
func (s *sink) WriteString(p string) (int, error) { return len(p), nil }

func benchmarkHandler(b *testing.B, handler http.Handler) {
	r := httptest.NewRequest(http.MethodGet, redirectPath(""), nil)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		w := &sink{header: make(http.Header, 8)}
		handler.ServeHTTP(w, r.WithContext(ctx))
		if w.status != http.StatusFound {
			b.Fatal(w.status)
		}
	}
}

func benchmarkHTTP(b *testing.B, handler http.Handler) {
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET " + redirectPath("") + " HTTP/1.1\r\nHost: mirror.test\r\n\r\n")
	reader := bufio.NewReader(conn)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		readAnswer(b, reader)
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// readAnswer reads one answer with little effort.
func readAnswer(b *testing.B, r *bufio.Reader) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
		if digits, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			length, _ = strconv.Atoi(strings.TrimSpace(digits))
		}
	}
	if _, err := r.Discard(length); err != nil {
		b.Fatal(err)
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// What a hit costs before the engine is asked.
func BenchmarkParseTarget(b *testing.B) {
	for name, target := range map[string]string{"base64": mustObject(originURL).Target(), "literal": originURL, "percent-encoded": url.QueryEscape(originURL)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := cloudmirror.ParseTarget(target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
