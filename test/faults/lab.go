package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// A laboratory is the directory of a run, the programs, and notes of how they were
// started.
type laboratory struct {
	settings
	dir   string
	keep  bool
	plain *http.Client // of the harness itself, not of the load

	commands []string
}

func newLab(ctx context.Context, s settings) (*laboratory, error) {
	dir, err := os.MkdirTemp("", "cloudmirror-faults-")
	if err != nil {
		return nil, err
	}
	l := &laboratory{settings: s, dir: dir, keep: s.keep, plain: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 8, ExpectContinueTimeout: time.Second},
		Timeout:   10 * time.Second,
	}}
	if err := l.build(ctx, "cloudmirror"); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// build builds the binary under a name in the laboratory's directory.
func (l *laboratory) build(ctx context.Context, name string, flags ...string) error {
	return lab.Build(ctx, l.path(name), []string{"CGO_ENABLED=0"}, flags...)
}

// close removes the directory, unless its logs are to be kept.
func (l *laboratory) close() {
	if l.keep {
		logf("logs and configurations are kept in %s", l.dir)
		return
	}
	_ = os.RemoveAll(l.dir)
}

func (l *laboratory) path(name string) string { return filepath.Join(l.dir, name) }

// write writes a file of the laboratory and returns its path.
func (l *laboratory) write(name, text string) (string, error) {
	return l.path(name), os.WriteFile(l.path(name), []byte(text), 0o600)
}

func (l *laboratory) mkdir(name string) (string, error) {
	return l.path(name), os.Mkdir(l.path(name), 0o700)
}

// start starts a program, whose lives follow each other in its log, and waits until
// it is ready. How it was started is kept for the document.
func (l *laboratory) start(ctx context.Context, name string, c lab.Command) (*lab.Process, error) {
	c.Name, c.Log = name, l.path(name+".log")
	p, err := lab.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	words := append([]string{filepath.Base(c.Program)}, c.Args...)
	l.commands = append(l.commands, strings.ReplaceAll(strings.Join(words, " "), l.dir, "DIR"))
	return p, nil
}
