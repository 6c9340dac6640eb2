// Command standin is what `make compose-test` puts into images in place of
// programs that are not on the host. What it does goes by its name, or by its
// first argument:
//
//	sqs      the SQS-protocol server of our tests, on port 9324, in memory
//	origin   a web server with an object at every path, on the port that follows
//	wget     asks for the URL that is its last argument, as health checks do
//	mc       answers `mc ready local`: asks the server of MC_HOST_local
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if name := filepath.Base(args[0]); name != "standin" {
		args = append([]string{"standin", name}, args[1:]...)
	}
	switch {
	case slices.Equal(args[1:], []string{"sqs"}):
		return serve(ctx, ":9324", withHealth(sqstest.New(sqstest.Options{})))
	case len(args) == 3 && args[1] == "origin":
		return serve(ctx, ":"+args[2], origin{lab.NewOrigin()})
	case len(args) > 2 && args[1] == "wget":
		return ask(ctx, args[len(args)-1])
	case slices.Equal(args[1:], []string{"mc", "ready", "local"}):
		server, err := url.Parse(os.Getenv("MC_HOST_local"))
		if err != nil {
			return err
		}
		server.User = nil
		return ask(ctx, server.JoinPath("minio/health/cluster").String())
	}
	return fmt.Errorf("%q is none of what it can do", args[1:])
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server, err := lab.Serve(address, handler)
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Close() // clients of a test wait for nothing
	return nil
}

// withHealth answers GET, which SQS clients of today do not send.
func withHealth(sqs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return // 200
		}
		sqs.ServeHTTP(w, r)
	})
}

// An origin tells at /-/started how often copiers began to fetch the path that is
// its query path.
type origin struct{ *lab.Origin }

// ServeHTTP implements http.Handler.
func (o origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/-/started" {
		fmt.Fprint(w, o.Started(r.URL.Query().Get("path")))
		return
	}
	o.Origin.ServeHTTP(w, r)
}

// ask returns nil if the answer is 200.
func ask(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return lab.Answers(address)(ctx)
}
