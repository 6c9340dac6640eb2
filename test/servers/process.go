package servers

import (
	"context"
	"testing"
	"time"

	"cloudmirror/test/lab"
)

// A Process is a server that runs until its test ends.
type Process struct {
	*lab.Process
	t testing.TB
}

// Start runs a program and waits until ready returns nil. The process is killed
// and reaped at the end of the test, and its output shown if the test failed.
func Start(t testing.TB, ready func(context.Context) error, env []string, program string, args ...string) *Process {
	t.Helper()
	return start(t, lab.Command{Program: program, Args: args, Env: env, Ready: ready}, nil)
}

// start is Start for a command; err is what kept it from being made.
func start(t testing.TB, c lab.Command, err error) *Process {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.Start(context.WithoutCancel(t.Context()), c) // cleanups start servers, too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s %v:\n%s", c.Program, c.Args, p.Output())
		}
	})
	return &Process{p, t}
}

// Terminate asks the process to end (SIGTERM) and returns its exit status. One
// that does not end within 40 s fails the test.
func (p *Process) Terminate() int {
	p.t.Helper()
	status, err := p.Process.Terminate()
	if err != nil {
		p.t.Errorf("%v\n%s", err, p.Output())
	}
	return status
}

// FreePort returns a TCP port of the loopback address that nothing listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// await waits until a condition of the process holds: ask returns nil.
func (p *Process) await(ask func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), time.Minute)
	defer cancel()
	if err := lab.Await(ctx, 20*time.Millisecond, func() error { return ask(ctx) }); err != nil {
		p.t.Fatalf("after a minute: %v\n%s", err, p.Output())
	}
}
