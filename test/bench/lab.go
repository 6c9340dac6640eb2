package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"cloudmirror/test/lab"
)

// A laboratory is where measuring takes place: the programs, a directory for all files,
// and notes of what was started.
type laboratory struct {
	effort
	dir      string
	memory   string // a directory in memory, where syncing costs nothing, with room for three of the largest object; "" if there is none
	commands []string
	client   *http.Client // keeps its connections and follows no redirects
	refusals atomic.Int64 // answers 503 to clients that came again, since takeRefusals
}

// maxOpenFiles is enough for the connections of the waiting clients.
const maxOpenFiles = 12_000

func newLab(ctx context.Context, how effort) (*laboratory, error) {
	if err := allowOpenFiles(maxOpenFiles); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cloudmirror-bench-")
	if err != nil {
		return nil, err
	}
	l := &laboratory{effort: how, dir: dir, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 512},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	l.memory = makeMemoryDir(3 * how.hugeBytes)
	// The binary that users get, and beside it what measures.
	for _, build := range [][]string{
		{"make", "release"},
		{"cp", "bin/cloudmirror", dir},
		{"go", "build", "-trimpath", "-o", dir + "/", "./test/bench/bareecho", "./test/bench/origin", "./test/bench/pipe", "./test/bench/sqs"},
	} {
		if output, err := exec.CommandContext(ctx, build[0], build[1:]...).CombinedOutput(); err != nil {
			l.close()
			return nil, fmt.Errorf("%v, which works in the root of the repository: %w\n%s", build, err, output)
		}
	}
	return l, nil
}

// allowOpenFiles raises the limit of open files of this process and of those that
// it starts, which more than the usual one needs root for.
func allowOpenFiles(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur >= n && limit.Max >= n {
		return nil
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: max(n, limit.Max)}); err != nil {
		return fmt.Errorf("allow %d open files (ulimit -n): %w", n, err)
	}
	return nil
}

func (l *laboratory) close() {
	l.client.CloseIdleConnections()
	_ = os.RemoveAll(l.dir)
	if l.memory != "" {
		_ = os.RemoveAll(l.memory)
	}
}

// path returns the name of a file in the laboratory, which may be one of our programs.
func (l *laboratory) path(name string) string { return filepath.Join(l.dir, name) }

// note keeps a command for the document, once.
func (l *laboratory) note(command string) {
	if !slices.Contains(l.commands, command) {
		l.commands = append(l.commands, command)
	}
}

// takeCommands returns what was started since it was last called.
func (l *laboratory) takeCommands() []string {
	defer func() { l.commands = nil }()
	return l.commands
}

// get sends a GET and returns the answer, whose body the caller closes.
func (l *laboratory) get(ctx context.Context, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return l.client.Do(r)
}

// read sends a GET and reads the whole answer.
func (l *laboratory) read(ctx context.Context, url string) (*http.Response, []byte, error) {
	response, err := l.get(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// takeRefusals returns a sentence about the clients that had to come again.
func (l *laboratory) takeRefusals() string {
	n := l.refusals.Swap(0)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\n\n%d times a client was answered 503 and came again: on these processors something did not answer cloudmirror in time.", n)
}

// await asks again and again, until the answer is yes.
func await(ctx context.Context, what string, isSo func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if yes, err := isSo(); yes || err != nil {
			return err
		}
		if err := lab.Pause(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}

// redirectPath is where a front end answers for the object of an origin URL.
func redirectPath(url string) string {
	return "/v1/redirect/s3/us-east-1/" + base64.RawURLEncoding.EncodeToString([]byte(url))
}
