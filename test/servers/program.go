package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"cloudmirror/test/lab"
)

// RunWithProgram builds cloudmirror, sets *binary to its path, and runs the tests
// of a package that start it; for TestMain, whose exit status it returns. The
// program is gone afterwards. It is built with more flags, such as -race.
func RunWithProgram(m *testing.M, binary *string, flags ...string) int {
	dir, err := os.MkdirTemp("", "cloudmirror-program-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "cloudmirror")
	if err := lab.Build(context.Background(), *binary, nil, flags...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// StartCloudmirror starts the program at path binary, everything in one process,
// with the objects below the URL origin let through, and with more of an environment.
// It returns its address.
func StartCloudmirror(t testing.TB, binary, origin string, env ...string) string {
	t.Helper()
	listen := "127.0.0.1:" + FreePort(t)
	Start(t, lab.IsReady(listen), env, binary, "serve", "--listen", listen, "--data-dir", t.TempDir(),
		"--allow", lab.AllowOrigin(origin), "--allow-address", "127.0.0.0/8")
	return listen
}

// StartConfigured starts the program at path binary in a role, with a configuration
// by which it answers /readyz at the address listen.
func StartConfigured(t testing.TB, binary, listen, role, config string) *Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cloudmirror.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return Start(t, lab.IsReady(listen), nil, binary, role, "--config", file)
}
