package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program is this test binary, running as cloudmirror.
type program struct {
	t       *testing.T
	command *exec.Cmd
	log     *bufio.Scanner // of its standard error, line by line
}

// start runs the program in the working directory, with JSON as log format.
func start(t *testing.T, environ []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self, args...) // killed at the end of the test, at the latest
	command.Env = append([]string{asProgram + "=1", "CLOUDMIRROR_LOG_FORMAT=json"}, environ...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	return &program{t: t, command: command, log: bufio.NewScanner(stderr)}
}

// await reads the log up to a message and returns that line's fields.
func (p *program) await(message string) map[string]any {
	p.t.Helper()
	var seen []string
	for p.log.Scan() {
		seen = append(seen, p.log.Text())
		fields := make(map[string]any)
		if err := json.Unmarshal(p.log.Bytes(), &fields); err == nil && fields["msg"] == message {
			return fields
		}
	}
	p.t.Fatalf("no %q in the log:\n%s", message, strings.Join(seen, "\n"))
	return nil
}

// url returns the address of a server that says it started.
func (p *program) url() string {
	p.t.Helper()
	addresses, ok := p.await("started")["listen"].([]any)
	if !ok || len(addresses) == 0 {
		p.t.Fatal("the log does not say where the server listens")
	}
	return "http://" + addresses[0].(string)
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait reads the rest of the log and returns how the program ended.
func (p *program) wait() *os.ProcessState {
	for p.log.Scan() {
	}
	_ = p.command.Wait() // the state says it
	return p.command.ProcessState
}

func TestServeAnswersTheCommandsAndStopsInOrder(t *testing.T) {
	w := newWorld(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, nil, "serve", "--listen", "127.0.0.1:0")
		url := p.url()
		if got := w.run(t.Context(), "status", "--server", url, "https://example.com/"); !strings.Contains(got.stdout, "state          absent") {
			t.Errorf("status: %+v", got)
		}
		explained := w.run(t.Context(), "explain", "--server", url, "https://example.com/")
		for _, want := range []string{"  allowed by   ^https://\n", "  copy         absent\n", "  client gets  the copy within ", "  to           https://example.com/\n"} {
			if !strings.Contains(explained.stdout, want) {
				t.Errorf("%q is not in %+v", want, explained)
			}
		}
		// The token is the one that the server keeps in ./data.
		if got := w.run(t.Context(), "purge", "--server", url, "https://example.com/"); got.status != exitAbsent || got.stdout != "nothing there: https://example.com/ in s3/us-east-1\n" {
			t.Errorf("purge: %+v", got)
		}
		p.signal(signal)
		p.await("stopped")
		if state := p.wait(); state.ExitCode() != exitOK {
			t.Errorf("after %v: %v", signal, state)
		}
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	newWorld(t)
	p := start(t, []string{"CLOUDMIRROR_SHUTDOWN_DELAY=10m"}, "serve", "--listen", "127.0.0.1:0")
	p.url()
	p.signal(syscall.SIGTERM)
	p.await("stopping")
	// The default behaviour comes back a moment after the first signal.
	ended := make(chan *os.ProcessState)
	go func() { ended <- p.wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case state := <-ended:
			if status, ok := state.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
				t.Errorf("ended with %v", state)
			}
			return
		case <-tick.C:
			_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
}

func TestAnAddressInUseIsAFailure(t *testing.T) {
	w := newWorld(t)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := w.run(t.Context(), "serve", "--listen", listener.Addr().String())
	if got.status != exitFailed || !strings.Contains(got.stderr, "address already in use") {
		t.Errorf("%+v", got)
	}
}

func TestWarningsOfTheConfigurationAreLogged(t *testing.T) {
	newWorld(t)
	p := start(t, []string{"CLOUDMIRROR_BOGUS=1"}, "serve", "--listen", "127.0.0.1:0")
	if fields := p.await("the environment variable CLOUDMIRROR_BOGUS sets no key"); fields["level"] != "warn" {
		t.Errorf("%v", fields)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
}

func TestLogsForPeople(t *testing.T) {
	w := newWorld(t)
	w.environ = []string{"CLOUDMIRROR_BOGUS=1", "CLOUDMIRROR_LOG_LEVEL=error"}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	args := []string{"serve", "--listen", listener.Addr().String()}
	if got := w.run(t.Context(), args...); strings.Contains(got.stderr, "BOGUS") {
		t.Errorf("a warning at level error: %s", got.stderr)
	}
	w.environ[1] = "CLOUDMIRROR_LOG_LEVEL=info"
	got := w.run(t.Context(), args...)
	if line, _, _ := strings.Cut(got.stderr, "\n"); !strings.HasSuffix(line, "\tWARN\tthe environment variable CLOUDMIRROR_BOGUS sets no key") {
		t.Errorf("%q", line)
	}
}
