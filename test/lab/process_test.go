package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sh returns a command of a shell script that is ready when it has printed "ready".
func sh(t *testing.T, script string) Command {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	return Command{Program: "/bin/sh", Args: []string{"-c", script}, Log: log, Ready: func(context.Context) error {
		if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "ready") {
			return errors.New("it is not ready")
		}
		return nil
	}}
}

func TestAServerThatEndsWhileStarting(t *testing.T) {
	_, err := Start(t.Context(), sh(t, "echo first; echo no room >&2; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error %v, want that it ended, and its output", err)
	}
	if _, err := Start(t.Context(), Command{Program: "/nonexistent"}); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func TestAServerThatIsNotReadyInTime(t *testing.T) {
	c := sh(t, "echo $$ >"+filepath.Join(t.TempDir(), "pid")+"; exec sleep 1000")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, c); err == nil || !strings.Contains(err.Error(), "it is not ready") {
		t.Errorf("error %v, want that of Ready", err)
	}
}

// childOf returns a command of a shell that starts a child and ends at SIGTERM, and the
// file that tells the child's process id.
func childOf(t *testing.T, end string) (c Command, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "child")
	return sh(t, "trap 'exit 0' TERM; sleep 1000 & echo $! >"+file+"; echo ready; "+end), file
}

func awaitChildGone(t *testing.T, file string) {
	t.Helper()
	child, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() error {
		// It is empty of one that has ended and was not waited for.
		if line, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/cmdline"); len(line) > 0 {
			return fmt.Errorf("the child is left: %q", line)
		}
		return nil
	})
}

// A server that ends takes its children along, also those that SIGTERM did not reach.
func TestNoChildOutlivesItsServer(t *testing.T) {
	for phrase, end := range map[string]func(*Process){
		"killed":           func(p *Process) { p.Kill() },
		"terminated":       func(p *Process) { _, _ = p.Terminate() },
		"killed by others": func(p *Process) { _ = p.running.Process.Kill(); <-p.done },
		"killed twice":     func(p *Process) { p.Kill(); p.Kill(); _, _ = p.Terminate() },
		"frozen":           func(p *Process) { p.Stop(); p.Stop(); p.Kill() },
	} {
		t.Run(phrase, func(t *testing.T) {
			c, file := childOf(t, "wait")
			p, err := Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			end(p)
			awaitChildGone(t, file)
		})
	}
}

// Another server may answer in the place of one that has ended, as its port was taken.
func TestAServerThatEndedIsNotReady(t *testing.T) {
	c := Command{Program: "/bin/sh", Args: []string{"-c", "echo port taken; exit 1"}, Ready: func(ctx context.Context) error {
		<-ctx.Done() // it has ended
		return nil
	}}
	if _, err := Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "port taken") {
		t.Errorf("error %v, want that it ended, and its output", err)
	}
}

// A server that cannot be started again is as ended as before.
func TestARestartThatFails(t *testing.T) {
	p, err := Start(t.Context(), Command{Program: "/bin/sh", Args: []string{"-c", "exit 7"}})
	if err != nil {
		t.Fatal(err)
	}
	pid := p.Pid()
	p.Kill()
	p.Command.Program = "/nonexistent"
	if err := p.Restart(t.Context()); err == nil {
		t.Fatal("it was started")
	}
	p.Kill()
	p.Stop()
	if _, err := p.Terminate(); err != nil || p.Pid() != pid {
		t.Errorf("error %v, process %d, want the one that ended: %d", err, p.Pid(), pid)
	}
}

func TestOutputIsReadWhileAServerStartsAgain(t *testing.T) {
	p, err := Start(t.Context(), Command{Program: "/bin/sh", Args: []string{"-c", "echo a"}})
	if err != nil {
		t.Fatal(err)
	}
	stop, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for {
			select {
			case <-stop:
				return
			default:
				_ = p.Output() // for the race detector
			}
		}
	}()
	for range 3 {
		p.Kill()
		if err := p.Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-read
	p.Kill()
}

func TestTerminateReturnsTheStatus(t *testing.T) {
	p, err := Start(t.Context(), sh(t, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"))
	if err != nil {
		t.Fatal(err)
	}
	if status, err := p.Terminate(); status != 7 || err != nil {
		t.Errorf("status %d, error %v, want 7", status, err)
	}
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	await(t, func() error {
		if lives := strings.Count(p.Output(), "ready"); lives != 2 {
			return fmt.Errorf("the log knows %d lives, want 2", lives)
		}
		return nil
	})
}

// await fails the test if ask does not return nil within a minute.
func await(t *testing.T, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Await(ctx, time.Millisecond, ask); err != nil {
		t.Fatal(err)
	}
}

func TestOutputInMemoryIsOfOneLife(t *testing.T) {
	c := Command{Program: "/bin/sh", Args: []string{"-c", "echo $$; exec sleep 1000"}, Environ: []string{}}
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		await(t, func() error {
			if p.Output() != fmt.Sprintln(p.Pid()) {
				return errors.New("output " + p.Output())
			}
			return nil
		})
		p.Kill()
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.Kill()
}

func TestNumbersOfAProcess(t *testing.T) {
	for begun := time.Now(); ; {
		used, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if used > 0 && used < 10*time.Minute {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("after 30 s of work, %v were used", used)
		}
	}
	if peak, err := Memory(os.Getpid(), "VmHWM"); err != nil || peak < 1<<20 || peak > 4<<30 {
		t.Errorf("peak memory %d bytes, error %v", peak, err)
	}
}
