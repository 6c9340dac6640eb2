package clients_test

import (
	"path/filepath"
	"testing"
)

// preparePip has the origin serve wheels, and pip install into the place alone.
func preparePip(t *testing.T, p *place) {
	p.origins.add("releases.example.com", map[string][]byte{
		"/tool-1.0-py3-none-any.whl":           wheel(t, "tool", "1.0", "tool"),
		"/whl/tool-1.0%2Bcpu-py3-none-any.whl": wheel(t, "tool", "1.0+cpu", "tool"),
	})
	p.env = []string{
		"PIP_TARGET=" + filepath.Join(p.dir, "lib"), "PIP_NO_INDEX=1", "PIP_FIND_LINKS=", "PIP_NO_DEPS=1",
		"PIP_NO_CACHE_DIR=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_CONFIG_FILE=/dev/null",
	}
}

func importsATool(t *testing.T, p *place) {
	t.Helper()
	if got := run(t, filepath.Join(p.dir, "lib"), "python3", "tool.py"); got != "tool" {
		t.Errorf("the module says %q", got)
	}
}
