package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load asks for the same path again and again on so many connections at once,
// each of which sends a request when it has the answer to the one before. It
// returns how many redirects came, and how many other answers.
func load(ctx context.Context, address, path string, connections int, d time.Duration) (redirects, others int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	end := time.Now().Add(d)
	var all, good atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		wait.Go(func() {
			errs[i] = ask(ctx, address, request, end, &all, &good)
		})
	}
	wait.Wait()
	return good.Load(), all.Load() - good.Load(), errors.Join(errs...)
}

// ask is one connection of load.
func ask(ctx context.Context, address string, request []byte, end time.Time, all, good *atomic.Int64) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	reader := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		isRedirect, err := readAnswer(reader)
		if err != nil {
			return err
		}
		all.Add(1)
		if isRedirect {
			good.Add(1)
		}
	}
	return nil
}

// readAnswer reads one answer with little effort, lest the client be what is
// measured.
func readAnswer(r *bufio.Reader) (isRedirect bool, err error) {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	isRedirect = bytes.HasPrefix(status, []byte("HTTP/1.1 302 "))
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		if len(line) == len("\r\n") {
			break
		}
		if digits, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(strings.TrimSpace(string(digits))); err != nil {
				return false, err
			}
		}
	}
	_, err = r.Discard(length)
	return isRedirect, err
}
