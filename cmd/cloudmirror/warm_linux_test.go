package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// program returns the command `warm` as a program of its own, for which the shell first
// does something.
func (s *warmServer) program(t *testing.T, first string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-c", first + ` exec "$0" "$@"`, self, "warm", "--server", s.URL, "--token", fakeToken, "--service", "s3", "--region", "us-east-1"}, args...)
	command := exec.CommandContext(t.Context(), "sh", args...)
	command.Env = []string{asProgram + "=1"}
	return command
}

// The list that is read is the one that is written, so it must outlive a full disk.
func TestWarmKeepsTheListIfTheDiskIsFull(t *testing.T) {
	newWorld(t)
	server := newWarmServer(t)
	server.fails["https://example.com/2"] = true
	const list = "https://example.com/1\nhttps://example.com/2\n"
	write(t, "list", list)
	text, err := server.program(t, "trap '' XFSZ; ulimit -f 0;", "--failed", "list", "list").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "1 failed, 0 not done") || !strings.Contains(string(text), "write the URLs that are not present: ") || strings.Contains(string(text), "list has the URLs") {
		t.Errorf("%s, %v", text, err)
	}
	if left, err := os.ReadFile("list"); err != nil || string(left) != list {
		t.Errorf("the list is now %q, %v", left, err)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
}

func TestWarmWritesWhatIsMissingIfTheOutputIsGone(t *testing.T) {
	for name, first := range map[string]string{"a full disk": "exec >/dev/full;", "a closed output": "exec >&-;"} {
		t.Run(name, func(t *testing.T) {
			newWorld(t)
			server := newWarmServer(t)
			server.fails["https://example.com/2"] = true
			write(t, "list", "https://example.com/1\nhttps://example.com/2\n")
			if text, err := server.program(t, first, "--failed", "rest", "list").CombinedOutput(); err == nil {
				t.Errorf("%s", text)
			}
			if left, err := os.ReadFile("rest"); err != nil || string(left) != "https://example.com/2\n" {
				t.Errorf("%q, %v", left, err)
			}
		})
	}
}

// The terminal of a person who warms a list may be closed, and that of nohup too.
func TestWarmWritesWhatIsMissingIfTheTerminalIsGone(t *testing.T) {
	newWorld(t)
	server := newWarmServer(t)
	server.ends = []map[string]any{{"state": "running", "pending_urls": []int{1}}}
	write(t, "list", "https://example.com/1\nhttps://example.com/2\n")
	command := server.program(t, "", "--failed", "rest", "list")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(30*time.Second, func() { _ = command.Process.Kill() })
	defer watchdog.Stop()
	server.awaitLook(t, "0")
	if _, err := os.Stat("rest"); !os.IsNotExist(err) {
		t.Errorf("while it runs there is a list of what is missing: %v", err)
	}
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // the status says it
	if left, err := os.ReadFile("rest"); err != nil || string(left) != "https://example.com/2\n" || command.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%q, %v, %v, %s", left, err, command.ProcessState, output.String())
	}
}

// awaitLook returns once a job was asked for, which takes at most 30 s.
func (s *warmServer) awaitLook(t *testing.T, id string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for asked := 0; asked == 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the command has not asked for job %s in 30 s", id)
		}
		s.mu.Lock()
		asked = s.asked[id]
		s.mu.Unlock()
	}
}

func TestProgressFitsNarrowTerminals(t *testing.T) {
	outer, inner := newTerminal(t, 8)
	if err := unix.IoctlSetWinsize(int(outer.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 8, Col: 20}); err != nil {
		t.Fatal(err)
	}
	p := &progress{out: inner, isLive: true}
	p.show("100 of 1,000 done, 3 failed")
	p.say("end")
	if shown, want := untilShown(t, outer, "end"), "\r100 of 1,000 done, \r"+strings.Repeat(" ", 19)+"\rcloudmirror: end"; !strings.HasPrefix(shown, want) {
		t.Errorf("%q, want %q", shown, want)
	}
}

func TestWarmAsksForAListOnATerminal(t *testing.T) {
	newWorld(t)
	server := newWarmServer(t)
	outer, inner := newTerminal(t, 8)
	command := server.program(t, "", "-")
	command.Stdin, command.Stderr = inner, inner
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(30*time.Second, func() { _ = command.Process.Kill() })
	defer watchdog.Stop()
	_ = inner.Close()
	untilShown(t, outer, "^D ends it")
	if _, err := outer.WriteString("https://example.com/1\n\x04"); err != nil {
		t.Fatal(err)
	}
	err := command.Wait()
	server.mu.Lock() // the command is a process of its own, whose end orders nothing here
	defer server.mu.Unlock()
	if err != nil || len(server.batches) != 1 {
		t.Errorf("%v, %v", err, server.batches)
	}
}
