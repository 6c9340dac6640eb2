package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cloudmirror/test/lab"
)

// A tool is a program of others that does a job and ends.
type tool struct {
	program string
	args    []string
	env     []string
}

// usage is what a job took.
type usage struct {
	wall, cpu, peak []float64 // seconds, CPU seconds, MiB resident at most; by round
}

func (u *usage) add(wall, cpu time.Duration, peakBytes int64) {
	u.wall = append(u.wall, wall.Seconds())
	u.cpu = append(u.cpu, cpu.Seconds())
	u.peak = append(u.peak, mebibytes(peakBytes))
}

// runTools runs tools, each of which reads what the one before it writes, and adds
// what they took together. names stand in the document for what differs each time.
func (l *laboratory) runTools(ctx context.Context, u *usage, names *strings.Replacer, tools ...tool) error {
	l.note(describeTools(names, tools))
	begun := time.Now()
	runs := make([]*toolRun, 0, len(tools))
	var input *os.File
	var err error
	for i, t := range tools {
		var next, output *os.File
		if i < len(tools)-1 {
			if next, output, err = os.Pipe(); err != nil {
				break
			}
		}
		var r *toolRun
		r, err = t.start(ctx, input, output)
		closeFiles(input, output) // the tools have them
		if input = next; err != nil {
			break
		}
		runs = append(runs, r)
	}
	closeFiles(input)
	var cpu time.Duration
	var peak int64
	for _, r := range runs {
		err = errors.Join(err, r.wait())
		cpu += r.command.ProcessState.UserTime() + r.command.ProcessState.SystemTime()
		peak += r.peak.Load()
	}
	if err == nil {
		u.add(time.Since(begun), cpu, peak)
	}
	return err
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// A toolRun is a tool that runs.
type toolRun struct {
	command *exec.Cmd
	errors  bytes.Buffer
	peak    atomic.Int64 // bytes
	watched chan struct{}
	stop    context.CancelFunc
}

func (t tool) start(ctx context.Context, input, output *os.File) (*toolRun, error) {
	watching, stop := context.WithCancel(ctx)
	r := &toolRun{command: exec.CommandContext(ctx, t.program, t.args...), watched: make(chan struct{}), stop: stop}
	r.command.Env = append(environment(), t.env...)
	if input != nil {
		r.command.Stdin = input
	}
	if output != nil {
		r.command.Stdout = output
	}
	r.command.Stderr = &r.errors
	r.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.command.Start(); err != nil {
		stop()
		return nil, err
	}
	go r.watch(watching)
	return r, nil
}

// watch reads the peak of the memory until the tool ends. What wait4 tells of it
// is no use: it includes ours, at the fork.
func (r *toolRun) watch(ctx context.Context) {
	defer close(r.watched)
	for lab.Pause(ctx, 20*time.Millisecond) == nil {
		if peak, err := lab.Memory(r.command.Process.Pid, "VmHWM"); err == nil {
			r.peak.Store(peak)
		}
	}
}

func (r *toolRun) wait() error {
	err := r.command.Wait()
	r.stop()
	<-r.watched
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", r.command.Path, err, &r.errors)
	}
	return nil
}

func describeTools(names *strings.Replacer, tools []tool) string {
	var texts []string
	for _, t := range tools {
		text := commandLine(strings.Join(append(append([]string{}, t.env...), filepath.Base(t.program)), " "), t.args)
		texts = append(texts, names.Replace(text))
	}
	return strings.Join(texts, " | ")
}
