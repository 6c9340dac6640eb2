package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// describeMachine returns what the numbers depend on, as a table.
func describeMachine(ctx context.Context) string {
	return table([]string{"", ""}, [][]string{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"command", "`go run ./test/faults " + strings.Join(os.Args[1:], " ") + "`"},
		{"commit", output(ctx, "git", "describe", "--always", "--dirty")},
		{"processor", fmt.Sprintf("%s, %d of it", lineOf("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{"memory", lineOf("/proc/meminfo", "MemTotal")},
		{"kernel", output(ctx, "uname", "-sr")},
		{"/proc/loadavg at the start", lineOf("/proc/loadavg", "")},
		{"Go", runtime.Version()},
		{"nginx", output(ctx, "nginx", "-v")},
		{"Redis", output(ctx, "redis-server", "--version")},
	})
}

// output returns the first line that a program prints, or a dash.
func output(ctx context.Context, program string, args ...string) string {
	text, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "–"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
}

// lineOf returns the value of the first line of a file that begins with a name.
func lineOf(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "–"
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name); found {
			return strings.Trim(value, " \t:\n")
		}
	}
	return "–"
}
