package servers

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds how long a server may take to answer; moto, the slowest,
// takes some seconds on a loaded machine.
const startTimeout = 60 * time.Second

// A Process is a server that runs until its test ends.
type Process struct {
	t       testing.TB
	command *exec.Cmd
	output  *lockedBuffer
	done    chan struct{} // closed when the process has ended
}

// Start runs a program and waits until ready returns nil. The process is killed
// and reaped at the end of the test, and its output shown if the test failed.
func Start(t testing.TB, ready func(context.Context) error, env []string, program string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, output: new(lockedBuffer), done: make(chan struct{})}
	p.command = exec.Command(program, args...) // it lives as long as the test, not as a context
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	// Servers must not outlive a test binary that is killed.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // Pdeathsig speaks of the thread that forked
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait() // it was killed, as a rule
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s %v:\n%s", program, args, p.output)
		}
	})
	p.await(ready)
	return p
}

func (p *Process) await(ready func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-p.done:
			p.t.Fatalf("%s ended while starting:\n%s", p.command.Path, p.output)
		case <-ctx.Done():
			p.t.Fatalf("%s did not answer in %v: %v\n%s", p.command.Path, startTimeout, err, p.output)
		case <-tick.C:
		}
	}
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() { p.signal(syscall.SIGKILL); <-p.done }

// Terminate asks the process to end (SIGTERM) and returns its exit status. One
// that does not end in a while fails the test.
func (p *Process) Terminate() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		p.t.Errorf("%s did not end within %v of SIGTERM:\n%s", p.command.Path, startTimeout, p.output)
		p.Kill()
	}
	return p.command.ProcessState.ExitCode()
}

// Output returns what the process has written so far.
func (p *Process) Output() string { return p.output.String() }

// Pid returns the process id.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Stop freezes the process (SIGSTOP); Continue lets it go on.
func (p *Process) Stop() { p.signal(syscall.SIGSTOP) }

// Continue lets a frozen process go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s os.Signal) {
	select {
	case <-p.done:
	default:
		_ = p.command.Process.Signal(s) // it may just have ended
	}
}

// FreePort returns a TCP port of the loopback address that nothing listens on.
// Another process may take it before the caller does; the ports that the kernel
// hands out next are others, so that this is rare.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// find returns the path of a program: one that `make deps` put into .tools, or
// one on PATH. Without it the test fails and says how to install it.
func find(t testing.TB, program, install string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	tool := filepath.Join(filepath.Dir(file), "..", "..", ".tools", program)
	if _, err := os.Stat(tool); err == nil {
		return tool
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed: run `make deps`, or %s", program, install)
	}
	return path
}

// dial reports whether something accepts connections at address.
func dial(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// lockedBuffer collects the output of a process, which two pipes may write.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
