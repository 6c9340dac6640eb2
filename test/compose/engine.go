package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// An engine runs docker and docker-compose.
type engine struct {
	compose []string // docker-compose, or docker compose
}

// findEngine returns an engine that answers. An error says what is missing.
func findEngine(ctx context.Context, compose string) (*engine, error) {
	e := &engine{compose: strings.Fields(compose)}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := e.docker(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, fmt.Errorf("no Docker engine answers: %w", err)
	}
	candidates := [][]string{e.compose}
	if len(e.compose) == 0 {
		candidates = [][]string{{"docker", "compose"}, {"docker-compose"}}
	}
	var err error
	for _, e.compose = range candidates {
		if _, err = output(ctx, nil, append(e.compose, "version")...); err == nil {
			return e, nil
		}
	}
	return nil, fmt.Errorf("no docker-compose: %w", err)
}

// docker runs a command of docker and returns what it prints.
func (e *engine) docker(ctx context.Context, args ...string) (string, error) {
	return output(ctx, nil, append([]string{"docker"}, args...)...)
}

// output runs a program and returns its standard output, without spaces around
// it. An error has the last lines of its standard error.
func output(ctx context.Context, environ []string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = append(os.Environ(), environ...)
	command.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(stderr.String(), 15))
	}
	return strings.TrimSpace(stdout.String()), nil
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
