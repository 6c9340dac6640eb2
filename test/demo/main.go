// Command demo shows cloudmirror at work: it starts the given binary with no
// configuration beside a small origin, requests an object twice, and shows what
// each request got, how long it took, and that the bytes are the origin's. It ends
// with what is known of the object and where the status page is, which with -stay
// can be looked at until Enter is pressed.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cloudmirror/test/lab"
)

const (
	objectBytes  = 16 << 20
	startTimeout = 10 * time.Second
)

func main() {
	stay := flag.Bool("stay", false, "run on until Enter is pressed")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: demo [-stay] PATH-OF-CLOUDMIRROR")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var until io.Reader
	if *stay {
		until = os.Stdin
	}
	err := run(ctx, flag.Arg(0), os.Stdout, until)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run shows everything on out. It leaves the server running until a line comes from
// until; nil: not at all.
func run(ctx context.Context, binary string, out io.Writer, until io.Reader) error {
	origin, err := startOrigin()
	if err != nil {
		return err
	}
	defer origin.Close()
	server, err := startServer(ctx, binary, origin.Address, out)
	if err != nil {
		return err
	}
	defer server.stop()

	url := "http://" + origin.Address + "/releases/tool-1.0.tar.gz"
	redirect, err := exec.CommandContext(ctx, binary, "rewrite", "--server", server.url, "--service", "s3", "--region", "us-east-1", url).Output()
	if err != nil {
		return fmt.Errorf("cloudmirror rewrite: %w", err)
	}
	mirrored := strings.TrimSpace(string(redirect))
	fmt.Fprintf(out, "\nAn origin on %s has one object of %d MiB:\n  %s\n  SHA-256 %s\nThrough cloudmirror it is:\n  %s\n", origin.Address, objectBytes>>20, url, origin.digest, mirrored)
	for _, request := range []string{"First", "Second"} {
		before := origin.requests.Load()
		a, err := get(ctx, mirrored)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s request: %s\n  redirected in %v to %s\n  fetched in    %v: %d bytes, SHA-256 %s\n  requests that reached the origin: %d\n",
			request, a.cacheStatus, a.redirected.Round(10*time.Microsecond), a.location, a.fetched.Round(10*time.Microsecond), a.bytes, a.digest, origin.requests.Load()-before)
		if a.digest != origin.digest {
			return errors.New("these are not the bytes of the origin")
		}
	}
	if n := origin.requests.Load(); n != 1 {
		return fmt.Errorf("the origin was asked %d times, want once", n)
	}
	fmt.Fprintln(out, "\nThe bytes are the origin's, which was asked once.")
	if err := server.showStatus(ctx, out, binary, url); err != nil {
		return err
	}
	if until != nil {
		fmt.Fprintf(out, "\nIt runs on. Open the status page in a browser, or fetch the object yourself:\n  curl -fsSL -o tool.tar.gz '%s'\nPress Enter to stop.\n", mirrored)
		awaitLine(ctx, until)
	}
	return nil
}

// awaitLine waits until a line comes or ctx ends.
func awaitLine(ctx context.Context, from io.Reader) {
	came := make(chan struct{})
	go func() { // it ends with the process, if no line comes
		defer close(came)
		_, _ = bufio.NewReader(from).ReadString('\n')
	}()
	select {
	case <-came:
	case <-ctx.Done():
	}
}

// An origin serves one object of random bytes.
type origin struct {
	*lab.Server
	digest   string
	requests atomic.Int64
}

func startOrigin() (*origin, error) {
	content := make([]byte, objectBytes)
	if _, err := io.ReadFull(rand.NewChaCha8([32]byte{1}), content); err != nil {
		return nil, err
	}
	o := &origin{digest: fmt.Sprintf("%x", sha256.Sum256(content))}
	var err error
	o.Server, err = lab.Serve("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		o.requests.Add(1)
		w.Header().Set("Content-Type", "application/gzip")
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content) // the client may leave
	}))
	return o, err
}

// A server is a running `cloudmirror serve`.
type server struct {
	url     string
	command *exec.Cmd
	dataDir string
}

func startServer(ctx context.Context, binary, originAddress string, out io.Writer) (*server, error) {
	dataDir, err := os.MkdirTemp("", "cloudmirror-demo-")
	if err != nil {
		return nil, err
	}
	address, err := lab.FreeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{
		"serve", "--listen", address, "--data-dir", filepath.Join(dataDir, "data"),
		"--allow", `^http://` + strings.ReplaceAll(originAddress, ".", `\.`) + "/",
		"--allow-address", "127.0.0.1/32",
	}
	s := &server{url: "http://" + address, command: exec.Command(binary, args...), dataDir: dataDir}
	fmt.Fprintf(out, "$ cloudmirror %s\n", strings.Join(args, " "))
	output, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go show(out, output)
	if err := s.awaitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// show prints what the server logs.
func show(out io.Writer, output io.Reader) {
	for lines := bufio.NewScanner(output); lines.Scan(); {
		fmt.Fprintln(out, "  |", lines.Text())
	}
}

func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ready := lab.Answers(s.url + "/readyz")
	if err := lab.Await(ctx, 10*time.Millisecond, func() error { return ready(ctx) }); err != nil {
		return fmt.Errorf("cloudmirror did not become ready in %v: %w", startTimeout, err)
	}
	return nil
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = s.command.Wait()
	_ = os.RemoveAll(s.dataDir)
}

// showStatus shows what the server knows of an object, as operators ask for it, and
// where they see the rest.
func (s *server) showStatus(ctx context.Context, out io.Writer, binary, url string) error {
	status, err := exec.CommandContext(ctx, binary, "status", "--server", s.url, "--service", "s3", "--region", "us-east-1", url).Output()
	if err != nil {
		return fmt.Errorf("cloudmirror status: %w", err)
	}
	fmt.Fprintf(out, "\n$ cloudmirror status %s\n%s\nStatus page: %s/status\n", url, status, s.url)
	return nil
}

// An answer is what a client saw of one object.
type answer struct {
	cacheStatus         string
	location            string
	redirected, fetched time.Duration
	bytes               int64
	digest              string
}

// get asks for an object as a client does, in two steps.
func get(ctx context.Context, url string) (answer, error) {
	begun := time.Now()
	redirect, err := request(ctx, url)
	if err != nil {
		return answer{}, err
	}
	defer redirect.Body.Close()
	a := answer{
		cacheStatus: redirect.Header.Get("Cache-Status"), location: redirect.Header.Get("Location"), redirected: time.Since(begun),
	}
	if redirect.StatusCode != http.StatusFound {
		return a, fmt.Errorf("cloudmirror answered %s", redirect.Status)
	}
	begun = time.Now()
	object, err := request(ctx, a.location)
	if err != nil {
		return a, err
	}
	defer object.Body.Close()
	hash := sha256.New()
	if a.bytes, err = io.Copy(hash, object.Body); err != nil {
		return a, fmt.Errorf("fetch %s: %w", a.location, err)
	}
	a.fetched, a.digest = time.Since(begun), fmt.Sprintf("%x", hash.Sum(nil))
	if object.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s answered %s", a.location, object.Status)
	}
	return a, nil
}

// request sends a GET and does not follow redirects.
func request(ctx context.Context, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return client.Do(r)
}
