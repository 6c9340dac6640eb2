package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// watchPatience bounds the wait for a line.
const watchPatience = 30 * time.Second

// A watching is a run of status --watch, whose output is read as it comes.
type watching struct {
	t      *testing.T
	lines  *bufio.Scanner
	end    context.CancelFunc
	status chan int
}

func (w *world) watch(t *testing.T, args ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	running := &watching{t: t, lines: bufio.NewScanner(reader), end: cancel, status: make(chan int, 1)}
	go func() {
		running.status <- run(ctx, append([]string{"status"}, args...), &terminal{environ: w.environ, stdin: strings.NewReader(""), stdout: writer, stderr: io.Discard})
		writer.Close()
	}()
	t.Cleanup(func() { cancel(); reader.Close() })
	return running
}

// until reads lines up to one that matches, and returns all of them.
func (w *watching) until(pattern string) []string {
	w.t.Helper()
	late := time.AfterFunc(watchPatience, w.end) // a watch never ends by itself
	defer late.Stop()
	var lines []string
	for w.lines.Scan() {
		lines = append(lines, w.lines.Text())
		if regexp.MustCompile(pattern).MatchString(w.lines.Text()) {
			return lines
		}
	}
	w.t.Fatalf("no line is like %s:\n%s", pattern, strings.Join(lines, "\n"))
	return nil
}

// stop ends it, and checks that this is no failure.
func (w *watching) stop() {
	w.t.Helper()
	w.end()
	for w.lines.Scan() {
	}
	if status := <-w.status; status != exitOK {
		w.t.Errorf("exit status %d", status)
	}
}

// A comingServer comes and goes at one address.
type comingServer struct {
	t       *testing.T
	address string
	handler http.Handler
	server  *http.Server
	ended   chan struct{} // closed once it stopped
}

// come starts it.
func (s *comingServer) come() {
	s.t.Helper()
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.server, s.ended = &http.Server{Handler: s.handler}, make(chan struct{}) //nolint:gosec // only the test asks
	go func(server *http.Server, ended chan struct{}) {
		_ = server.Serve(listener) // it says that the server was closed
		close(ended)
	}(s.server, s.ended)
}

// leave stops it, with its connections.
func (s *comingServer) leave() {
	_ = s.server.Close()
	<-s.ended
}

const stampLine = `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`

func TestWatchGoesOnWhileTheServerIsAway(t *testing.T) {
	w := newWorld(t)
	s := &comingServer{t: t, handler: wellScene()}
	s.come()
	defer func() { s.leave() }()
	running := w.watch(t, "--watch=100ms", "--server", "http://"+s.address)
	if lines := running.until("^all is well$"); len(lines) != 2 || !regexp.MustCompile(stampLine).MatchString(lines[0]) {
		t.Errorf("it begins with %q", lines)
	}
	running.until(stampLine)
	running.until("^all is well$")
	s.leave()
	running.until("^the server does not answer: ask http://127.0.0.1:")
	running.until("^its last answer came at 20")
	s.come()
	running.until("^all is well$")
	running.stop()
}

func TestWatchBeginsWithoutAServer(t *testing.T) {
	w := newWorld(t)
	s := &comingServer{t: t, handler: wellScene()}
	s.come()
	s.leave()
	running := w.watch(t, "--watch=100ms", "--json", "--server", "http://"+s.address)
	running.until(`^\{"failed":\{"message":"ask http://127\.0\.0\.1:[0-9]+: connection refused`)
	s.come()
	defer s.leave()
	running.until(`^\{"backends":\[\{`)
	running.stop()
}

// wellScene is a server that says that all is well.
func wellScene() http.Handler {
	return &scene{backends: []map[string]any{aBackend("s3", "eu-west-1")}, presence: "ok", ready: allReady}
}

func TestFramesAreCroppedToTheTerminal(t *testing.T) {
	for _, test := range []struct {
		lines int
		want  string
	}{
		{0, "a\nb\nc\nd"},
		{1, "a\nb\nc\nd"},
		{4, "a\nb\nc\nd"},
		{3, "a\nb\n… 2 more lines: the terminal is too small"},
		{2, "a\n… 3 more lines: the terminal is too small"},
	} {
		if got := cropped("a\nb\nc\nd", test.lines); got != test.want {
			t.Errorf("%d lines: %q is not %q", test.lines, got, test.want)
		}
	}
}
