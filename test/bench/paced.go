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
	"time"

	"cloudmirror/test/lab"
)

// pacedRate is the load at which latency is measured, in requests per second on
// all connections: far from what any of the servers can do.
const pacedRate = 4_000

// paced asks for a path at a steady rate and returns how long each answer took, in
// milliseconds, from when its request was due, so that a server that stalls is not
// spared the requests which it kept from being sent.
func paced(ctx context.Context, address, path string, d time.Duration) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	step := time.Second * connections / pacedRate
	begin := time.Now().Add(100 * time.Millisecond)
	took := make([][]float64, connections)
	errs := make([]error, connections)
	var wait sync.WaitGroup
	for i := range connections {
		wait.Go(func() {
			first := begin.Add(step * time.Duration(i) / connections)
			took[i], errs[i] = pacedConnection(ctx, address, request, first, step, begin.Add(d))
		})
	}
	wait.Wait()
	var all []float64
	for _, each := range took {
		all = append(all, each...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

func pacedConnection(ctx context.Context, address string, request []byte, due time.Time, step time.Duration, end time.Time) (took []float64, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	reader := bufio.NewReader(conn)
	for ; due.Before(end); due = due.Add(step) {
		if err := lab.Pause(ctx, time.Until(due)); err != nil {
			return nil, err
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		isRedirect, err := readAnswer(reader)
		if err != nil {
			return nil, err
		}
		if !isRedirect {
			return nil, fmt.Errorf("%s answered other than with a redirect", address)
		}
		took = append(took, milliseconds(time.Since(due)))
	}
	return took, nil
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
