package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// adminTokenFile is where `serve` keeps the token that it made for itself, in
// the data directory. The commands read it.
const adminTokenFile = "admin-token"

// adminToken returns the token of a server that has none configured: the one in
// the data directory, which is made if it is missing, readable by its owner
// alone.
func adminToken(dataDir string) (string, error) {
	path := filepath.Join(dataDir, adminTokenFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil && len(strings.TrimSpace(string(text))) >= 16:
		return strings.TrimSpace(string(text)), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	token := rand.Text()
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the admin token: %w", err)
	}
	return token, nil
}
