// Command bench measures what cloudmirror promises of speed and memory, each
// promise beside its yardstick in the same run, and writes docs/benchmarks.md with
// its chart.
//
// It builds what it measures and starts every server as a process of its own on
// the loopback address, with files under TMPDIR, which should be a real disk. It
// installs nothing: `make bench` does. A section that fails is named in the
// document, and the others are measured. A goal that is not met is no error:
// machines are noisy, and people read the document.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// An effort is how much is measured.
type effort struct {
	rounds int           // of everything that is compared in turns
	hits   int           // rounds of the servers that answer hits
	round  time.Duration // of load in each of those; whole seconds, as wrk has it

	coldObjects, partsObjects    int   // one by one: embedded; on Redis, SQS and S3
	wakes, waiters, starts       int   // completions waited for; clients of one object; starts of a process
	smallObjects, countedObjects int   // many at once, for their time; for their round trips
	hugeBytes                    int64 // of the object copied against other programs
	manyBytes                    int64 // of each of manyCopies
	distantBytes                 int64 // of the object of a distant origin
	entries                      int   // in the larger Redis
}

func fullEffort() effort {
	return effort{
		rounds: 5, hits: 11, round: 2 * time.Second,
		coldObjects: 300, partsObjects: 200, wakes: 300, waiters: 10_000, starts: 10,
		smallObjects: 20_000, countedObjects: 2_000,
		hugeBytes: 4 << 30, manyBytes: 100 << 20, distantBytes: 512 << 20, entries: 1_000_000,
	}
}

func quickEffort() effort {
	return effort{
		rounds: 2, hits: 2, round: time.Second,
		coldObjects: 50, partsObjects: 30, wakes: 30, waiters: 1_000, starts: 3,
		smallObjects: 2_000, countedObjects: 500,
		hugeBytes: 256 << 20, manyBytes: 4 << 20, distantBytes: 64 << 20, entries: 50_000,
	}
}

// sections are measured and written one after the other. Those that make many
// files on the disk come early, and those that remove many after them: for minutes
// ext4 is slow to make files where others were removed.
var sections = []section{
	{"hits", "A present object", measureHits},
	{"wake", "Waking a waiting client", measureWake},
	{"cold", "A cold object of 1 KB, embedded", measureCold},
	{"small", "Many small objects", measureSmall},
	{"parts", "A cold object of 1 KB on Redis, SQS and S3", measureParts},
	{"trips", "Round trips", measureTrips},
	{"waiters", "Many clients waiting for one object", measureWaiters},
	{"files", "A large object to files", measureFiles},
	{"distance", "A large object over a long distance", measureDistance},
	{"growth", "Many entries", measureGrowth},
	{"start", "Start, and size", measureStart},
	{"s3", "A large object to S3", measureS3},
	{"memory", "Many copies at once", measureMemory},
}

func main() {
	// Servers die with the thread that started them: it must be as old as we.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "docs/benchmarks.md", "write the document to `FILE`, and the chart beside it as .svg; - prints the document")
	note := flag.String("note", "", "add a `SENTENCE` about the machine, such as what else it was doing")
	only := flag.String("run", "", "measure only the sections whose names match this `REGEXP`: "+names())
	quick := flag.Bool("quick", false, "measure little, to try a change or the benchmark itself")
	flag.Parse()
	how := fullEffort()
	if *quick {
		how = quickEffort()
	}
	if err := run(ctx, how, *only, *out, *note); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // what is deferred ends with the process
	}
}

func names() string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}

func run(ctx context.Context, how effort, only, out, note string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	notes, err := readNotes("test/bench/notes.md")
	if err != nil {
		return err
	}
	l, err := newLab(ctx, how)
	if err != nil {
		return err
	}
	defer l.close()
	d := document{machine: describeMachine(ctx, l), note: note, notes: notes}
	for _, s := range sections {
		if !wanted.MatchString(s.name) {
			continue
		}
		begun := time.Now()
		fmt.Fprintf(os.Stderr, "bench: %s …\n", s.title)
		r, err := s.measure(ctx, l)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", s.name, err)
			r = failed(s, err)
		}
		d.add(s, r, l.takeCommands())
		if out != "-" {
			if err := d.write(out); err != nil { // what was measured stands, whatever becomes of the rest
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %v\n", s.name, time.Since(begun).Round(time.Second))
	}
	return d.write(out)
}
