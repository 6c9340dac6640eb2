package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
)

var backendOfTest = cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}

// show runs a progress for a time, with a tally that grows by ten URLs a second.
func show(t *testing.T, p *progress, d time.Duration, during func()) {
	t.Helper()
	p.began = time.Now()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.run(stop, func() tally {
			n := int(10 * time.Since(p.began).Seconds())
			return tally{present: n, failed: 3, bytes: int64(n) * 1_234_567}
		})
	}()
	time.Sleep(d)
	during()
	close(stop)
	<-done
}

func TestProgressOffATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		show(t, &progress{out: &out, urls: 1000}, 25*time.Second, func() {})
		want := "100 of 1,000 done, 3 failed, 123 MB, 10/s, 1m27s left\n200 of 1,000 done, 3 failed, 247 MB, 10/s, 1m19s left\n"
		if out.String() != want {
			t.Errorf("%q\nis not\n%q", out.String(), want)
		}
	})
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &progress{out: &out, isLive: true, urls: 1000}
		show(t, p, 10*time.Second+100*time.Millisecond, func() {
			p.say("trying again: a")
			p.say("trying again: a") // not twice within 10 s
		})
		draws := strings.Split(out.String(), "\r")
		shown := strings.TrimRight(draws[40], " ")
		if shown != "100 of 1,000 done, 3 failed, 123 MB, 10/s, 1m27s left" {
			t.Errorf("%q", shown)
		}
		if want := "\r" + strings.Repeat(" ", len(shown)) + "\rcloudmirror: trying again: a\n"; !strings.HasSuffix(out.String(), want) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("the end is %q", out.String()[len(out.String())-200:])
		}
	})
}

func TestProgressFits80Columns(t *testing.T) {
	p := &progress{urls: 1_000_000, began: time.Unix(0, 0)}
	for _, t1 := range []tally{{}, {present: 500_000, failed: 499_999, bytes: 999_400_000_000_000}, {present: 1, bytes: 1 << 62}} {
		for _, d := range []time.Duration{0, time.Second, 99 * time.Hour, 9999 * time.Hour} {
			if line := p.line(t1, p.began.Add(d)); len(line) >= 80 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
	}
}

func TestByteCounts(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1_400_000_000: "1.4 GB", 999_499: "999 kB", 999_500: "1 MB", 5_000_000_000_000_000: "5e+03 TB"} {
		if got := byteCount(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestATerminalIsNoFile(t *testing.T) {
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("NOT TESTED with a terminal: %v", err)
	}
	defer pty.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, test := range map[string]struct {
		stderr io.Writer
		term   string
		want   bool
	}{
		"a terminal": {pty, "xterm", true}, "one that cannot go back": {pty, "dumb", false},
		"a file": {file, "xterm", false}, "/dev/null": {null, "xterm", false}, "a buffer": {new(strings.Builder), "xterm", false},
	} {
		if got := (&terminal{stderr: test.stderr, environ: []string{"TERM=" + test.term}}).canRedraw(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
