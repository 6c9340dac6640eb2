package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"cloudmirror/cache/rediscache"
	"cloudmirror/storage"
	"cloudmirror/test/lab"
)

// counts is how often each thing was asked for. It may be used by many at once.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(map[string]int)
	}
	c.of[name]++
}

// take returns the counts and begins anew.
func (c *counts) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := maps.Clone(c.of)
	clear(c.of)
	return taken
}

func sum(of map[string]int) (all int) {
	for _, n := range of {
		all += n
	}
	return all
}

// A countingProxy passes HTTP requests on and counts them.
type countingProxy struct {
	*lab.Server
	counts
}

// startCounting starts a proxy of the server at an address. nameOf tells what a
// request is counted as; "" is not.
func startCounting(address string, nameOf func(*http.Request) string) (p *countingProxy, err error) {
	forward := lab.NewProxy(address)
	p = new(countingProxy)
	p.Server, err = lab.Serve("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := nameOf(r); name != "" {
			p.add(name)
		}
		forward.ServeHTTP(w, r)
	}))
	return p, err
}

// s3Request names a request to S3 by its method and what it is about, if it is
// about an object.
func s3Request(r *http.Request) string {
	what := "copy"
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, storage.ProbeKey):
		return "" // asks whether the storage is there, every ten seconds
	case path == "/copies" || path == "/copies/":
		what = "bucket"
	case strings.HasPrefix(path, "/copies/private/"):
		what = "record"
	case strings.HasSuffix(path, "/generation"):
		what = "generation"
	}
	return r.Method + " of a " + what
}

// sqsRequest names a request to SQS by its action, if it is about jobs.
func sqsRequest(r *http.Request) string {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if action == "GetQueueAttributes" {
		return "" // looks at the queue, every ten seconds
	}
	return action
}

// A redisMonitor counts the commands that clients send about entries: not what
// scripts run inside of Redis, nor what proves connections alive.
type redisMonitor struct {
	counts
	address string
	conn    net.Conn
	marks   chan string
	done    chan struct{}
}

func watchRedis(ctx context.Context, address string) (*redisMonitor, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	reader := bufio.NewReader(conn)
	if answer, err := reader.ReadString('\n'); err != nil || answer != "+OK\r\n" {
		return nil, errors.Join(fmt.Errorf("MONITOR: %q", answer), err, conn.Close())
	}
	m := &redisMonitor{address: address, conn: conn, marks: make(chan string, 1), done: make(chan struct{})}
	go m.read(reader)
	return m, nil
}

func (m *redisMonitor) read(r *bufio.Reader) {
	defer close(m.done)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if command, isEntry := redisCommand(line); isEntry {
			m.add(command)
		} else if command == "echo" {
			m.marks <- command
		}
	}
}

// monitored is a line of MONITOR: time, database and client, then what it sent.
var monitored = regexp.MustCompile(`^\+[0-9.]+ \[\d+ ([^\]]+)\] "([^"]*)"(.*)`)

// redisCommand returns the command of a line of MONITOR, and whether a client sent
// it about an entry.
func redisCommand(line string) (command string, isEntry bool) {
	parts := monitored.FindStringSubmatch(line)
	if len(parts) == 0 || parts[1] == "lua" {
		return "", false
	}
	return strings.ToLower(parts[2]), strings.Contains(parts[3], `"`+rediscache.DefaultPrefix+"{")
}

// settle waits until all commands that were sent before are counted.
func (m *redisMonitor) settle(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("ECHO settled\r\n")); err != nil {
		return err
	}
	select {
	case <-m.marks:
		return nil
	case <-m.done:
		return errors.New("MONITOR ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *redisMonitor) stop() {
	_ = m.conn.Close()
	<-m.done
}
