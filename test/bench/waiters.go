package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror/test/lab"

	"golang.org/x/sync/errgroup"
)

const (
	goalWaiterKiB  = 24 // resident for each waiter
	goalLastAnswer = 1  // second after completion
)

// waiting is what clients that wait for one object cost, by round.
type waiting struct {
	kib     []float64 // resident, each
	seconds []float64 // from the release until the last one has its answer
	copies  []float64 // requests that the origin got
}

func measureWaiters(ctx context.Context, l *laboratory) (result, error) {
	var ours, echo waiting
	for range l.rounds {
		if err := ours.waitForCopy(ctx, l); err != nil {
			return result{}, err
		}
		if err := echo.waitForEcho(ctx, l); err != nil {
			return result{}, err
		}
	}
	row := func(name string, w waiting) []string {
		return []string{name, spread(w.kib, 1), spread(w.seconds, 2)}
	}
	most := quantile(ours.copies, 1)
	return result{
		goals: []goal{
			atMost("many clients of one object: copies made, at most", unit{0, ""}, 1, most),
			atMost("many clients of one object: resident each", asKiB, goalWaiterKiB, ours.kib...),
			atMost("many clients of one object: last answer after completion", asSeconds, goalLastAnswer, ours.seconds...),
		},
		text: fmt.Sprintf(`%d clients, each on a connection of its own, ask a fresh `+"`cloudmirror serve`"+` for one object of %d bytes, whose origin does not answer before all of them wait. Resident is VmRSS when all wait, less what it was before the first, divided by the clients. The time runs from when the origin answers, so that it includes making the copy, until the last client has its redirect. Bare Echo's handler waits for a channel. %d rounds.

%s
Requests to the origin in each round, at most: %.0f.`, l.waiters, coldBytes, l.rounds,
			lab.Table([]string{"server", "KiB resident for each client", "seconds until the last answer"}, [][]string{row("`cloudmirror serve`", ours), row("bare Echo", echo)}), most),
	}, nil
}

func (w *waiting) waitForCopy(ctx context.Context, l *laboratory) error {
	origin, err := startGate()
	if err != nil {
		return err
	}
	defer origin.stop()
	serve, err := l.startEmbedded(ctx, "DIR")
	if err != nil {
		return err
	}
	defer serve.stop()
	err = w.measure(ctx, l, crowd{
		server: serve, path: redirectPath("http://" + origin.Address + "/awaited.bin"),
		count:   func() (float64, error) { return l.metric(ctx, serve, "cloudmirror_waiters") },
		release: func() error { origin.open(); return nil },
	})
	w.copies = append(w.copies, float64(origin.asked.Load()))
	return err
}

func (w *waiting) waitForEcho(ctx context.Context, l *laboratory) error {
	h := hit{url: "http://127.0.0.1:9/", header: http.Header{"Location": {"http://127.0.0.1:9/"}, "Content-Type": {"application/json"}}, body: "{}"}
	echo, err := l.startBareEcho(ctx, &h, 100)
	if err != nil {
		return err
	}
	defer echo.stop()
	return w.measure(ctx, l, crowd{
		server: echo, path: "/wait",
		count: func() (float64, error) { return l.echoCount(ctx, echo, "waiting") },
		release: func() error {
			response, err := l.client.Post("http://"+echo.address+"/release", "", nil)
			if err != nil {
				return err
			}
			return response.Body.Close()
		},
	})
}

// A crowd is clients that wait at a server.
type crowd struct {
	server  *process
	path    string
	count   func() (float64, error) // how many wait there
	release func() error            // lets them be answered
}

func (w *waiting) measure(ctx context.Context, l *laboratory, c crowd) error {
	if _, err := c.count(); err != nil { // its cost is not the clients'
		return err
	}
	before, err := lab.Memory(c.server.Pid(), "VmRSS")
	if err != nil {
		return err
	}
	conns, err := c.connect(ctx, l.waiters)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	if err != nil {
		return err
	}
	err = await(ctx, "all clients to wait", func() (bool, error) {
		n, err := c.count()
		return n == float64(l.waiters), err
	})
	if err != nil {
		return err
	}
	after, err := lab.Memory(c.server.Pid(), "VmRSS")
	if err != nil {
		return err
	}
	took, err := c.answer(ctx, conns)
	if err != nil {
		return err
	}
	w.kib = append(w.kib, float64(after-before)/1024/float64(l.waiters))
	w.seconds = append(w.seconds, took.Seconds())
	return nil
}

// connect opens the connections and sends a request on each.
func (c crowd) connect(ctx context.Context, n int) ([]net.Conn, error) {
	conns := make([]net.Conn, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for i := range conns {
		group.Go(func() (err error) {
			if conns[i], err = new(net.Dialer).DialContext(ctx, "tcp", c.server.address); err != nil {
				return err
			}
			_, err = io.WriteString(conns[i], "GET "+c.path+" HTTP/1.1\r\nHost: "+c.server.address+"\r\n\r\n")
			return err
		})
	}
	return conns, group.Wait()
}

// answer lets the clients be answered, and returns how long the last one took.
func (c crowd) answer(ctx context.Context, conns []net.Conn) (time.Duration, error) {
	group, ctx := errgroup.WithContext(ctx)
	for _, conn := range conns {
		group.Go(func() error {
			stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
			defer stop()
			isRedirect, err := readAnswer(bufio.NewReaderSize(conn, 1024))
			if err == nil && !isRedirect {
				err = fmt.Errorf("a client that waited got something else than a redirect")
			}
			return err
		})
	}
	begun := time.Now()
	if err := c.release(); err != nil {
		return 0, err
	}
	err := group.Wait()
	return time.Since(begun), err
}

// A gate is an origin that does not answer before it is opened.
type gate struct {
	*lab.Server
	asked atomic.Int64
	open  func()
}

func startGate() (g *gate, err error) {
	opened := make(chan struct{})
	g = &gate{open: sync.OnceFunc(func() { close(opened) })}
	g.Server, err = lab.Serve("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.asked.Add(1)
		<-opened
		_, _ = w.Write(make([]byte, coldBytes))
	}))
	return g, err
}

func (g *gate) stop() {
	g.open()
	g.Close()
}
