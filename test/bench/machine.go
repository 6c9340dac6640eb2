package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// describeMachine returns what the numbers depend on, as a table.
func describeMachine(ctx context.Context, l *lab) string {
	return table([]string{"", ""}, [][]string{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"command", "`" + strings.ReplaceAll(commandLine("go run ./test/bench", os.Args[1:]), "|", `\|`) + "`"},
		{"commit", output(ctx, "git", "describe", "--always", "--dirty")},
		{"processor", fmt.Sprintf("%s, %d of it", lineOf("/proc/cpuinfo", "model name"), runtime.NumCPU())},
		{"memory", lineOf("/proc/meminfo", "MemTotal")},
		{"kernel", output(ctx, "uname", "-sr")},
		{"/proc/loadavg at the start", lineOf("/proc/loadavg", "")},
		{"files", fmt.Sprintf("%s on %s", os.TempDir(), fileSystem(l.dir))},
		{"Go", runtime.Version()},
		{"nginx", version(ctx, "nginx", "-v")},
		{"Redis", version(ctx, "redis-server", "--version")},
		{"wrk", version(ctx, "wrk", "-v")},
		{"rclone", version(ctx, "rclone", "version")},
		{"aws", version(ctx, "aws", "--version")},
		{"curl", version(ctx, "curl", "--version")},
		{"versitygw", moduleVersion("versitygw")},
	})
}

// version returns what a program of others says of itself.
func version(ctx context.Context, name string, args ...string) string {
	program, err := find(name, "")
	if err != nil {
		return "–"
	}
	text, _ := exec.CommandContext(ctx, program, args...).CombinedOutput() // wrk -v fails
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
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

// moduleVersion returns of which version of its module a Go program was built.
func moduleVersion(name string) string {
	path, err := find(name, "")
	if err != nil {
		return "–"
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "–"
	}
	return info.Main.Version
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

// fileSystem names the kind of file system a directory is on.
func fileSystem(dir string) string {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return "an unknown file system"
	}
	switch stat.Type { // statfs(2)
	case 0xef53:
		return "ext4"
	case 0x58465342:
		return "XFS"
	case 0x9123683e:
		return "Btrfs"
	case 0x01021994:
		return "tmpfs, which is memory"
	}
	return fmt.Sprintf("file system %#x", stat.Type)
}
