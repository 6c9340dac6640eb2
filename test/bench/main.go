// Command bench measures what cloudmirror promises of speed and memory, each
// promise beside its yardstick in the same run, and writes docs/benchmarks.md.
//
// It builds what it measures and starts every server as a process of its own on
// the loopback address, with files under TMPDIR, which should be a real disk. It
// installs nothing: what is missing is named, and left out. A goal that is not
// met is no error: machines are noisy, and people read the document.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// An effort is how much is measured.
type effort struct {
	rounds       int // of each server that answers hits
	round        time.Duration
	coldObjects  int
	smallObjects int
	largeBytes   int64
	largeCopies  int // of each kind of storage
}

// sections are measured and written one after the other.
var sections = []section{
	{"A present object", measureHits},
	{"A cold object of 1 KB", measureCold},
	{"Many small objects", measureSmall},
	{"A large object", measureLarge},
}

func main() {
	// Servers die with the thread that started them: it must be as old as we.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "docs/benchmarks.md", "write the document to `FILE`")
	note := flag.String("note", "", "add a `SENTENCE` about the machine, such as what else it was doing")
	quick := flag.Bool("quick", false, "measure little, to try the benchmark itself")
	flag.Parse()
	how := effort{rounds: 30, round: 1500 * time.Millisecond, coldObjects: 300, smallObjects: 20_000, largeBytes: 5 << 30, largeCopies: 1}
	if *quick {
		how = effort{rounds: 5, round: 500 * time.Millisecond, coldObjects: 50, smallObjects: 2_000, largeBytes: 256 << 20, largeCopies: 1}
	}
	if err := run(ctx, *out, *note, how); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

func run(ctx context.Context, out, note string, how effort) error {
	l, err := newLab(ctx, how)
	if err != nil {
		return err
	}
	defer l.close()
	d := document{title: "Benchmarks", machine: describeMachine(ctx, l), note: note}
	for _, s := range sections {
		begun := time.Now()
		fmt.Fprintf(os.Stderr, "bench: %s …\n", s.title)
		r, err := s.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
		d.add(s, r, l.takeCommands())
		fmt.Fprintf(os.Stderr, "bench: took %v\n", time.Since(begun).Round(time.Second))
	}
	return os.WriteFile(out, []byte(d.String()), 0o644)
}
