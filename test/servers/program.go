package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
