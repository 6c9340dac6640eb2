package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Root returns the root of the repository that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
	}
}

// Find returns the path of a program: one that `make deps` put into .tools, one of
// the system, or else one on PATH. An error says how to install it.
func Find(program, install string) (string, error) {
	paths := []string{"/usr/bin/" + program}
	if root, err := Root(); err == nil {
		paths = []string{filepath.Join(root, ".tools", program), paths[0]}
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: run `make deps`, or %s", program, install)
	}
	return path, nil
}

// Build builds cloudmirror as the file, with more of an environment and flags of
// `go build`.
func Build(ctx context.Context, file string, env []string, flags ...string) error {
	command := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", file}, flags...), "cloudmirror/cmd/cloudmirror")...)
	command.Env = append(os.Environ(), env...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build cloudmirror: %w\n%s", err, output)
	}
	return nil
}
