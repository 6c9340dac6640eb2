// Command faults runs the system on real parts, with a proxy on every link, and
// breaks one thing after the other under constant load. Its clients follow each
// redirect and compare the bytes. It writes docs/faults.md, and ends with status
// 1 if any client was misled, met an error that was ours to avoid, or if service
// did not come back.
//
// It begins by checking itself: answers that are wrong on purpose must be seen.
//
// It installs nothing: `make faults` does. Every server is a process of its own
// on the loopback address, with files under TMPDIR.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// Settings are the flags.
type settings struct {
	out   string
	note  string
	run   *regexp.Regexp
	short bool
	soak  time.Duration
	moto  bool
	keep  bool
}

// errRed says that a promise was broken; the table shows which.
var errRed = errors.New("red: see the table")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s, err := parseSettings()
	if err == nil {
		err = run(ctx, s)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func parseSettings() (settings, error) {
	var s settings
	flag.StringVar(&s.out, "out", "", "write the document to `FILE`; by default it is only printed")
	flag.StringVar(&s.note, "note", "", "add a `SENTENCE` about the machine, such as what else it was doing")
	pattern := flag.String("run", "", "run only the scenarios whose names match `REGEXP`")
	flag.BoolVar(&s.short, "short", false, "run the few scenarios that CI runs")
	flag.DurationVar(&s.soak, "soak", 0, "instead of the table: load with faults in turns for `TIME`, then compare memory and goroutines")
	sqs := flag.String("sqs", "moto", "moto, or sqstest: our own, which is faster")
	flag.BoolVar(&s.keep, "keep", false, "keep the directory with all logs")
	flag.Parse()
	s.moto = *sqs == "moto"
	if !s.moto && *sqs != "sqstest" {
		return s, fmt.Errorf("-sqs %s is neither moto nor sqstest", *sqs)
	}
	var err error
	s.run, err = regexp.Compile(*pattern)
	return s, err
}

func run(ctx context.Context, s settings) error {
	l, err := newLab(ctx, s)
	if err != nil {
		return err
	}
	defer l.close()
	begun := time.Now()
	d, err := newDeployment(ctx, l)
	if err != nil {
		return err
	}
	defer d.close()
	logf("started in %v; logs are in %s", since(begun), l.dir)
	if s.soak > 0 {
		err = soak(ctx, d, s.soak)
	} else {
		err = runTable(ctx, d, s)
	}
	if err != nil {
		l.keep = true
	}
	return err
}

// runTable checks the harness, runs the scenarios and writes the document.
func runTable(ctx context.Context, d *deployment, s settings) error {
	chosen := choose(s)
	if len(chosen) == 0 {
		return errors.New("no scenario has such a name")
	}
	doc := newDocument(ctx, d, s)
	for _, c := range selfChecks() {
		red, err := runScenario(ctx, d, c)
		if err != nil {
			return fmt.Errorf("self-check %s: %w", c.name, err)
		}
		if !doc.addSelfCheck(c, red) {
			return fmt.Errorf("self-check %s: it should have been seen: %s", c.name, red.summary())
		}
	}
	failed := false
	for i, c := range chosen {
		r, err := runScenario(ctx, d, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		doc.add(c, r)
		failed = failed || len(r.broken) > 0
		logf("%2d/%d %-34s %s", i+1, len(chosen), c.name, r.summary())
		if err := doc.write(s.out); err != nil { // each time: who ends the run keeps what it found
			return err
		}
	}
	fmt.Println(doc.String())
	if failed {
		return errRed
	}
	return nil
}

func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s faults: %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
