package rediscache_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// A wire leads to a server, and can hold back what that says on connections with
// tracking, without closing them: they are half open then.
type wire struct {
	listener net.Listener

	mu     sync.Mutex
	server string        // where new connections lead
	frozen chan struct{} // closed when it thaws; nil: nothing is held back
}

func startWire(t *testing.T, server string) *wire {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, server: server}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.join(client) })
		}
	})
	t.Cleanup(func() { listener.Close(); w.thaw(); running.Wait() })
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// lead makes new connections lead to another server.
func (w *wire) lead(server string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = server
}

func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen == nil {
		w.frozen = make(chan struct{})
	}
}

func (w *wire) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen != nil {
		close(w.frozen)
		w.frozen = nil
	}
}

// hold waits while the wire is frozen.
func (w *wire) hold() {
	w.mu.Lock()
	frozen := w.frozen
	w.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (w *wire) join(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	address := w.server
	w.mu.Unlock()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	tracking := make(chan struct{})
	var answering sync.WaitGroup
	answering.Go(func() {
		defer client.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case <-tracking:
				w.hold()
			default:
			}
			if _, failed := client.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	})
	_, _ = io.Copy(server, &spotter{Reader: client, word: []byte("tracking"), spotted: sync.OnceFunc(func() { close(tracking) })})
	server.Close()
	answering.Wait()
}

// A spotter tells when a word was read.
type spotter struct {
	io.Reader
	word    []byte
	spotted func()
}

func (s *spotter) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if bytes.Contains(p[:n], s.word) {
		s.spotted()
	}
	return n, err
}
