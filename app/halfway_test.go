package app_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"cloudmirror/app"
	"cloudmirror/config"
)

// What New has opened before an error is closed.
func TestNewLeavesNothingOpenAfterAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for phrase, test := range map[string]struct {
		blocked string // a file where a directory should be
		admin   string
		want    string
	}{
		"a backend cannot be opened":   {"objects/s3/us-east-1", "127.0.0.1:0", "backend s3/us-east-1: "},
		"the second address is in use": {"nothing", taken.Addr().String(), "address already in use"},
		"no token can be made":         {"admin-token/file", "127.0.0.1:0", "admin-token"},
	} {
		t.Run(phrase, func(t *testing.T) {
			dir := t.TempDir()
			blocked := filepath.Join(dir, test.blocked)
			if err := os.MkdirAll(filepath.Dir(blocked), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blocked, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "cloudmirror.yaml")
			text := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: %s
data_dir: %s
cache: {type: redis, redis: {url: "redis://127.0.0.1:1/0"}}
queue: {type: sqs, sqs: {endpoint: "http://127.0.0.1:1", region: us-east-1}}
services:
  s3:
    allow: ["^https://"]
    backends:
      eu-west-1: {storage: {type: file}}
      us-east-1: {storage: {type: file}}
`, test.admin, dir)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(file, nil, config.Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			before := goleak.IgnoreCurrent()
			if _, err := app.New(t.Context(), app.Options{Config: c, Role: config.RoleServe, Logger: zap.NewNop()}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			goleak.VerifyNone(t, before)
		})
	}
}
