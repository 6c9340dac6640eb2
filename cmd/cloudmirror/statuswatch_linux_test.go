package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newTerminal returns both ends of a pseudo terminal that is lines high.
func newTerminal(t *testing.T, lines uint16) (screen, inner *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	descriptor := int(screen.Fd())
	number, err := unix.IoctlGetInt(descriptor, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(descriptor, unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: 80})
	}
	if err == nil {
		inner, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	return screen, inner
}

// untilShown reads what is shown until it holds a text, and returns it all.
func untilShown(t *testing.T, screen *os.File, text string) string {
	t.Helper()
	var shown strings.Builder
	part := make([]byte, 4<<10)
	for !strings.Contains(shown.String(), text) {
		n, err := screen.Read(part)
		shown.Write(part[:n])
		if err != nil {
			t.Fatalf("%q is not shown (%v): %q", text, err, shown.String())
		}
	}
	return shown.String()
}

func TestWatchRedrawsATerminal(t *testing.T) {
	newWorld(t)
	s := &comingServer{t: t, handler: wellScene()}
	s.come()
	defer func() { s.leave() }()
	screen, inner := newTerminal(t, 8)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self, "status", "--watch=100ms", "--server", "http://"+s.address)
	command.Env = []string{asProgram + "=1"}
	command.Stdin, command.Stdout, command.Stderr = inner, inner, inner
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = inner.Close() // so that reading the screen fails once the program ended
	watchdog := time.AfterFunc(30*time.Second, func() { _ = command.Process.Kill() })
	defer watchdog.Stop()

	first := untilShown(t, screen, "the terminal is too small")
	if !strings.HasPrefix(first, clearScreen+"all is well\r\n") || strings.Count(strings.TrimSpace(first), "\n") != 6 {
		t.Errorf("the first frame is %q", first)
	}
	untilShown(t, screen, clearScreen+"all is well\r\n")
	s.leave()
	untilShown(t, screen, clearScreen+"the server does not answer: ")
	untilShown(t, screen, ", every 100ms; ^C ends")
	s.come()
	untilShown(t, screen, clearScreen+"all is well\r\n")
	if _, err := screen.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after ^C: %v", err)
	}
}
