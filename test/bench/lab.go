package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// A lab is where measuring takes place: the programs, a directory for all files,
// and notes of what was started and what is missing.
type lab struct {
	effort
	dir      string
	commands []string
	client   *http.Client // keeps its connections and follows no redirects
}

func newLab(ctx context.Context, how effort) (*lab, error) {
	dir, err := os.MkdirTemp("", "cloudmirror-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{effort: how, dir: dir, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/",
		"./cmd/cloudmirror", "./test/bench/bareecho", "./test/bench/origin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		l.close()
		return nil, fmt.Errorf("build, which works in the root of the repository: %w\n%s", err, output)
	}
	return l, nil
}

func (l *lab) close() {
	l.client.CloseIdleConnections()
	_ = os.RemoveAll(l.dir)
}

// path returns the name of a file in the lab, which may be one of our programs.
func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// takeCommands returns how servers were started since it was last called.
func (l *lab) takeCommands() []string {
	defer func() { l.commands = nil }()
	return l.commands
}

// get sends a GET and returns the answer, whose body the caller closes.
func (l *lab) get(ctx context.Context, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return l.client.Do(r)
}

// find returns the path of a program of others: one that was put into .tools, or
// one on PATH. An error says how to install it.
func find(name, install string) (string, error) {
	if tool, err := filepath.Abs(filepath.Join(".tools", name)); err == nil {
		if _, err := os.Stat(tool); err == nil {
			return tool, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is missing: %s", name, install)
	}
	return path, nil
}

// startOrigin starts an origin, which makes its objects while it sends them.
func (l *lab) startOrigin(ctx context.Context) (*process, error) {
	return l.start(ctx, server{program: l.path("origin"), args: []string{"ADDRESS"}})
}

// startEmbedded starts `cloudmirror serve` without a configuration.
func (l *lab) startEmbedded(ctx context.Context, dataDir string) (*process, error) {
	return l.start(ctx, server{program: l.path("cloudmirror"), args: []string{
		"serve", "--listen", "ADDRESS", "--data-dir", dataDir,
		"--allow", `^http://127\.0\.0\.1:[0-9]+/`, "--allow-address", "127.0.0.1/32",
	}})
}

// startConfigured starts a role of cloudmirror with the given parts (lines of its
// configuration) and storage.
func (l *lab) startConfigured(ctx context.Context, role, parts, storage string) (*process, error) {
	config := fmt.Sprintf(`listen: ADDRESS
data_dir: DIR
%sservices:
  s3:
    allow: ['^http://127\.0\.0\.1:[0-9]+/']
    allow_addresses: [127.0.0.1/32]
    ports: []
    fallback: none
    backends:
      us-east-1: {storage: %s}
`, parts, storage)
	return l.start(ctx, server{
		program: l.path("cloudmirror"), args: []string{role, "--config", "CONFIG"}, config: config,
		env: []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey},
	})
}

// The credentials of the S3 server, which lives as long as its measurement.
const (
	accessKey = "rootkey"
	secretKey = "rootsecret123"
)

// redirectPath is where a front end answers for the object of an origin URL.
func redirectPath(url string) string {
	return "/v1/redirect/s3/us-east-1/" + base64.RawURLEncoding.EncodeToString([]byte(url))
}
