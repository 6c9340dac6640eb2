package lab

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second // moto, the slowest, takes some seconds on a loaded machine
	stopLimit  = 40 * time.Second
	pollEvery  = 20 * time.Millisecond
)

// A Command says how to start a server.
type Command struct {
	Name    string // in errors; "": the program's
	Program string // path
	Args    []string
	Environ []string // nil: this process's own
	Env     []string // is added to Environ
	Log     string   // the file that its output is appended to; "": it is kept in memory
	// Ready returns nil once the server answers. Nil: Start does not wait.
	Ready func(context.Context) error
}

// A Process is a server that runs until Kill or Terminate, or until it ends by
// itself. It does not outlive this process, and its children do not outlive it. Its methods may be called by one
// goroutine at a time, but Output by any.
type Process struct {
	Command Command // how Restart starts it
	Started time.Time

	running *exec.Cmd
	output  lockedBuffer  // empty if there is a log
	done    chan struct{} // closed when it has ended
}

// Start starts a server and waits until it is ready. An error holds the last of
// its output, and nothing is left running.
func Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{Command: c}
	if err := p.Restart(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Restart starts the server again, after its end, and waits until it is ready.
func (p *Process) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := p.launch(cancel); err != nil {
		return fmt.Errorf("start %s: %w", p.name(), err)
	}
	if p.Command.Ready == nil {
		return nil
	}
	err := Await(ctx, pollEvery, func() error { return p.Command.Ready(ctx) })
	if p.hasEnded() { // even if Ready returned nil: another server may answer at its port
		err = errors.New("it ended")
	}
	if err == nil {
		return nil
	}
	p.Kill()
	return fmt.Errorf("start %s: %w\n%s", p.name(), err, p.Tail())
}

// launch starts the process and calls onEnd when it has ended.
func (p *Process) launch(onEnd func()) error {
	c := exec.Command(p.Command.Program, p.Command.Args...) // it lives until Kill or Terminate, not as long as a context
	environ := p.Command.Environ
	if environ == nil {
		environ = os.Environ()
	}
	c.Env = slices.Concat(environ, p.Command.Env)
	log, err := p.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	c.WaitDelay = time.Second // for children of it that keep its output open
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	done, started, began := make(chan struct{}), make(chan error), time.Now()
	go func() {
		defer onEnd()
		defer close(done)
		runtime.LockOSThread() // Pdeathsig speaks of the thread that forked
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait()                                      // it was told to end, as a rule
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // children that are left; an error: none is
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.running, p.done, p.Started = c, done, began
	return nil
}

// openLog returns what the output is written to; the process has its own handle of
// a file.
func (p *Process) openLog() (io.WriteCloser, error) {
	if p.Command.Log != "" {
		return os.OpenFile(p.Command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	p.output.reset()
	return &p.output, nil
}

func (p *Process) name() string { return cmp.Or(p.Command.Name, filepath.Base(p.Command.Program)) }

func (p *Process) hasEnded() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill ends the process and its children at once, and waits until it is gone.
func (p *Process) Kill() {
	if !p.hasEnded() {
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // it may just have ended
	}
	<-p.done
}

// Terminate asks the process to end (SIGTERM) and returns its exit status. One
// that does not end within 40 s is killed, which is an error.
func (p *Process) Terminate() (status int, err error) {
	p.signal(syscall.SIGTERM)
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		err = fmt.Errorf("%s did not end within %v of SIGTERM", p.name(), stopLimit)
		p.Kill()
	}
	return p.running.ProcessState.ExitCode(), err
}

// Stop freezes the process (SIGSTOP); Continue lets it go on.
func (p *Process) Stop() { p.signal(syscall.SIGSTOP) }

// Continue lets a frozen process go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s os.Signal) {
	if !p.hasEnded() {
		_ = p.running.Process.Signal(s) // it may just have ended
	}
}

// Pid returns the process id, which is also that of its group.
func (p *Process) Pid() int { return p.running.Process.Pid }

// Output returns what the process has written so far; with a log, what all of its
// lives have.
func (p *Process) Output() string {
	if p.Command.Log == "" {
		return p.output.String()
	}
	text, err := os.ReadFile(p.Command.Log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Tail returns the last 10 lines of the output.
func (p *Process) Tail() string {
	lines := strings.Split(strings.TrimSpace(p.Output()), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// lockedBuffer is a buffer that is read while it is written.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buffer.Reset()
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// Close implements io.Closer.
func (b *lockedBuffer) Close() error { return nil }
