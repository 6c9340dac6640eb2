package frontend_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// BenchmarkHit compares the code of the redirect to a present copy with the least
// that Echo can do: one route, a map look-up and the same headers and body.
func BenchmarkHit(b *testing.B) { benchmarkHit(b, benchmarkHandler) }

// BenchmarkHitOverHTTP is BenchmarkHit for whole requests over the loopback.
// cpu-ns/op counts this process, the client in it included.
func BenchmarkHitOverHTTP(b *testing.B) { benchmarkHit(b, benchmarkHTTP) }

func benchmarkHit(b *testing.B, benchmark func(*testing.B, http.Handler)) {
	w := newWorld(b)
	w.present()
	recorder := httptest.NewRecorder()
	w.frontend.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, redirectPath(""), nil))
	b.Run("bare Echo", func(b *testing.B) { benchmark(b, bareEcho(recorder.Header(), recorder.Body.String())) })
	b.Run("cache", func(b *testing.B) { benchmark(b, w.frontend.Handler()) })
	b.Run("near cache", func(b *testing.B) {
		w.near.isOn.Store(true)
		benchmark(b, w.frontend.Handler())
	})
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
