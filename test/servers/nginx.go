package servers

import (
	"os"
	"path/filepath"
	"testing"

	"cloudmirror/test/lab"
)

// NginxArguments writes a configuration into dir and returns the arguments with
// which nginx runs by it: see lab.NginxConfig.
func NginxArguments(t testing.TB, dir, http string) []string {
	t.Helper()
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(lab.NginxConfig(dir, 512, http)), 0o600); err != nil {
		t.Fatal(err)
	}
	return lab.NginxArguments(dir, file)
}
