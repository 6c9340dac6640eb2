package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load asks for the same path again and again on so many connections at once,
// each of which sends a request when it has the answer to the one before. It
// returns how many answers came. Any answer but 302 is an error.
func load(ctx context.Context, address, path string, connections int, d time.Duration) (answers int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	end := time.Now().Add(d)
	var total atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		wait.Go(func() {
			var n int64
			n, errs[i] = ask(ctx, address, request, end)
			total.Add(n)
		})
	}
	wait.Wait()
	return total.Load(), errors.Join(errs...)
}

// ask is one connection of load.
func ask(ctx context.Context, address string, request []byte, end time.Time) (answers int64, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	reader := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if _, err := conn.Write(request); err != nil {
			return answers, err
		}
		if err := readRedirect(reader); err != nil {
			return answers, err
		}
		answers++
	}
	return answers, nil
}

// readRedirect reads one answer with little effort, lest the client be what is
// measured.
func readRedirect(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 302 ")) {
		return fmt.Errorf("want a redirect, the answer is %q", status)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			break
		}
		if digits, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(strings.TrimSpace(string(digits))); err != nil {
				return err
			}
		}
	}
	_, err = r.Discard(length)
	return err
}
