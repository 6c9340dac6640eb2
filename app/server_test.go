package app_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/app"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
	"cloudmirror/frontend"
)

// A pipe is a listener with one connection, in memory, so that time is the
// test's own.
type pipe struct{ conns chan net.Conn }

func (p pipe) Accept() (net.Conn, error) {
	conn, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipe) Close() error   { return nil }
func (p pipe) Addr() net.Addr { return &net.TCPAddr{} }

// A client that is slow, silent or greedy is left alone after a while.
func TestServersDoNotWaitForEver(t *testing.T) {
	const path = "/v1/redirect/s3/us-east-1/aHR0cHM6Ly9h"
	for _, test := range []struct {
		name, sends string
		status      string // "": the connection is closed without an answer
		after       time.Duration
	}{
		{"half a header", "GET " + path + " HTTP/1.1\r\nHost: a\r\n", "", 10 * time.Second},
		{"nothing", "", "", 10 * time.Second},
		{"a header that is too large", "GET " + path + " HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431", 0},
		{"a body that never comes, and nobody reads", "GET " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "404", 30 * time.Second},
		{"a chunked body that never comes", "GET " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "404", 30 * time.Second},
		{"no further request", "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n", "404", 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serveConn(t)
				began := time.Now()
				go io.WriteString(conn, test.sends)
				all, err := io.ReadAll(bufio.NewReader(conn))
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < test.after || took > test.after+time.Second {
					t.Errorf("the connection ended after %v, want %v", took, test.after)
				}
				if status, _, _ := strings.Cut(strings.TrimPrefix(string(all), "HTTP/1.1 "), " "); status != test.status {
					t.Errorf("answered %q, want status %q", all, test.status)
				}
			})
		})
	}
}

// exhausted is a listener that has no file descriptor left, and then ends.
type exhausted struct {
	pipe
	tries *int
}

func (e exhausted) Accept() (net.Conn, error) {
	if *e.tries++; *e.tries == 1 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func TestAServerThatCannotAcceptSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		server := app.NewHTTPServer(http.NotFoundHandler(), zap.New(core))
		if err := server.Serve(exhausted{tries: new(int)}); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if lines := logs.All(); len(lines) != 1 || !strings.Contains(lines[0].Message, "too many open files") {
			t.Errorf("the log has %v, want why nothing is accepted", lines)
		}
	})
}

// serveConn returns a connection to a front end without services, behind the
// server that an App gives it.
func serveConn(t *testing.T) net.Conn {
	t.Helper()
	cache, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	en := engine.New(engine.Options{Cache: cache, Logger: zap.NewNop()})
	front, err := frontend.New(frontend.Options{Engine: en})
	if err != nil {
		t.Fatal(err)
	}
	server := app.NewHTTPServer(front.Handler(), zap.NewNop())
	client, served := net.Pipe()
	conns := make(chan net.Conn, 1)
	conns <- served
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(pipe{conns}) // ErrServerClosed, or that the listener is closed
	}()
	t.Cleanup(func() {
		client.Close()
		close(conns)
		server.Close()
		<-done
		front.Close()
		en.Close()
	})
	return client
}
