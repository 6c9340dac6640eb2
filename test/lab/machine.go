package lab

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// DescribeMachine returns the rows of a table that say what the numbers of a run
// depend on. The command is how the run was started.
func DescribeMachine(ctx context.Context, command string) [][]string {
	return [][]string{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"command", "`" + strings.ReplaceAll(command, "|", `\|`) + "`"},
		{"commit", output(ctx, "git", "describe", "--always", "--dirty")},
		{"processor", fmt.Sprintf("%s, %d of it", LineOf("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{"memory", LineOf("/proc/meminfo", "MemTotal")},
		{"kernel", output(ctx, "uname", "-sr")},
		{"/proc/loadavg at the start", LineOf("/proc/loadavg", "")},
		{"Go", runtime.Version()},
		{"nginx", Version(ctx, "nginx", "-v")},
		{"Redis", Version(ctx, "redis-server", "--version")},
	}
}

// Table returns a table in Markdown.
func Table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(strings.Split(strings.TrimSuffix(strings.Repeat("--- ", len(head)), " "), " "))
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// Version returns the first line that a program prints about itself, or a dash.
func Version(ctx context.Context, program string, args ...string) string {
	path, err := Find(program, "")
	if err != nil {
		return "–"
	}
	text, _ := exec.CommandContext(ctx, path, args...).CombinedOutput() // wrk -v fails
	return firstLine(text)
}

// ModuleVersion returns of which version of its module a Go program was built, or a
// dash.
func ModuleVersion(program string) string {
	path, err := Find(program, "")
	if err != nil {
		return "–"
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "–"
	}
	return info.Main.Version
}

func output(ctx context.Context, program string, args ...string) string {
	text, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "–"
	}
	return firstLine(text)
}

func firstLine(text []byte) string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
}

// LineOf returns the value of the first line of a file that begins with a name.
func LineOf(file, name string) string {
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
