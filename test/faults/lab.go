package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A lab is the directory of a run, the programs, and notes of how they were
// started.
type lab struct {
	settings
	dir   string
	keep  bool
	ports portPool
	plain *http.Client // of the harness itself, not of the load

	mu       sync.Mutex
	commands []string
}

func newLab(ctx context.Context, s settings) (*lab, error) {
	dir, err := os.MkdirTemp("", "cloudmirror-faults-")
	if err != nil {
		return nil, err
	}
	l := &lab{settings: s, dir: dir, keep: s.keep, ports: portPool{given: make(map[int]bool)}, plain: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 8, ExpectContinueTimeout: time.Second},
		Timeout:   10 * time.Second,
	}}
	if err := l.build(ctx, "cloudmirror"); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// build builds the binary under a name in the lab's directory.
func (l *lab) build(ctx context.Context, name string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", l.path(name)}, flags...)
	command := exec.CommandContext(ctx, "go", append(args, "./cmd/cloudmirror")...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build, which works in the root of the repository: %w\n%s", err, output)
	}
	return nil
}

// close removes the directory, unless somebody should look at the logs.
func (l *lab) close() {
	if l.keep {
		logf("logs and configurations are kept in %s", l.dir)
		return
	}
	_ = os.RemoveAll(l.dir)
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// write writes a file of the lab and returns its path.
func (l *lab) write(name, text string) (string, error) {
	return l.path(name), os.WriteFile(l.path(name), []byte(text), 0o600)
}

func (l *lab) mkdir(name string) (string, error) {
	return l.path(name), os.Mkdir(l.path(name), 0o700)
}

// noteCommand keeps how a program was started, for the document.
func (l *lab) noteCommand(p program) {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := append([]string{filepath.Base(p.path)}, p.args...)
	l.commands = append(l.commands, strings.ReplaceAll(strings.Join(words, " "), l.dir, "DIR"))
}

// find returns the path of a program of others: one that was put into .tools, or
// one on PATH. An error says how to install it.
func find(name string) (string, error) {
	if tool, err := filepath.Abs(filepath.Join(".tools", name)); err == nil {
		if _, err := os.Stat(tool); err == nil {
			return tool, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is missing: `make faults` installs it", name)
	}
	return path, nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
