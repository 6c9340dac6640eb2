package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// RunWithProgram builds cloudmirror, sets *binary to its path, and runs the tests
// of a package that start it; for TestMain, whose exit status it returns. The
// program is gone afterwards.
func RunWithProgram(m *testing.M, binary *string) int {
	dir, err := os.MkdirTemp("", "cloudmirror-program-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "cloudmirror")
	if output, err := exec.Command("go", "build", "-o", *binary, "cloudmirror/cmd/cloudmirror").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, output)
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
	Start(t, isReady(listen), env, binary, "serve", "--listen", listen, "--data-dir", t.TempDir(),
		"--allow", "^"+regexp.QuoteMeta(origin)+"/", "--allow-address", "127.0.0.0/8")
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
	return Start(t, isReady(listen), nil, binary, role, "--config", file)
}

// isReady returns what asks /readyz of the program at an address.
func isReady(listen string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
}
