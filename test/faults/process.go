package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second
	stopLimit  = 40 * time.Second
)

// A program is how to start a process, as often as needed.
type program struct {
	name string // of its log
	path string
	args []string
	env  []string
	// ready returns nil once the process answers.
	ready func(context.Context) error
}

// A process is one running program. Its output is appended to a log, so that
// the lives of a restarted program follow each other there.
type process struct {
	program
	log     string
	command *exec.Cmd
	done    chan struct{} // closed when it has ended
}

// start starts a program and waits until it is ready.
func (l *lab) start(ctx context.Context, p program) (*process, error) {
	s := &process{program: p, log: filepath.Join(l.dir, p.name+".log")}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	l.noteCommand(p)
	return s, nil
}

func (p *process) start(ctx context.Context) error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	p.done = make(chan struct{})
	p.command = exec.Command(p.path, p.args...) // it is ended by kill and terminate, not by a context
	p.command.Env = append(os.Environ(), p.env...)
	p.command.Stdout, p.command.Stderr = out, out
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // Pdeathsig speaks of the thread that forked
		err := p.command.Start()
		started <- err
		if err == nil {
			_ = p.command.Wait() // it was told to end, as a rule
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := p.awaitReady(ctx); err != nil {
		p.kill()
		return fmt.Errorf("start %s: %w\n%s", p.name, err, p.tail())
	}
	return nil
}

func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	_ = p.command.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks the process to end, in order. Another end than that is an error.
func (p *process) terminate() error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		p.kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.name, stopLimit)
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with status %d after SIGTERM\n%s", p.name, code, p.tail())
	}
	return nil
}

// tail returns the last lines of the log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// A portPool hands out ports below those that the kernel gives to connections,
// which could take the port of a server that is being restarted.
type portPool struct {
	mu    sync.Mutex
	given map[int]bool
}

func (l *lab) freeAddress() (string, error) {
	l.ports.mu.Lock()
	defer l.ports.mu.Unlock()
	for range 1000 {
		port := 20_000 + rand.IntN(10_000)
		if l.ports.given[port] {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.ports.given[port] = true
		return address, listener.Close()
	}
	return "", errors.New("no free port between 20000 and 30000")
}

// accepts is a program's ready: something listens on the address.
func accepts(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
