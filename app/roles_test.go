package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"cloudmirror/config"
)

// A startedApp is what an App started.
type startedApp struct {
	FrontEnd, Copier bool
	Listeners        int      // the admin listener among them
	Dependencies     []string // that it checks, by name
	Background       int      // functions that run beside health checks and notes
	Recheck, Near    bool     // hits are looked behind, and answered from memory
	CopiesTo         []string
	Metrics          []string // the telling ones
	OwnToken         bool
}

// tellingMetrics are exported by one thing each: the front end, its near cache, its
// monitor, the copier.
var tellingMetrics = []string{"cloudmirror_copies_waiting", "cloudmirror_near_cache_entries", "cloudmirror_region_reachable", "cloudmirror_waiters"}

func whatStarted(t *testing.T, a *App) startedApp {
	t.Helper()
	s := startedApp{
		FrontEnd: a.frontend != nil, Copier: a.copier != nil, Listeners: len(a.servers), Background: len(a.drivers.background),
		Near: a.drivers.near != nil, OwnToken: len(a.ownTokens) > 0,
	}
	for _, d := range a.health.all {
		s.Dependencies = append(s.Dependencies, d.name)
	}
	for _, b := range a.engineBackends() {
		s.Recheck = s.Recheck || b.Recheck > 0
	}
	for _, b := range a.copierBackends() {
		s.CopiesTo = append(s.CopiesTo, b.ID.String())
	}
	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if slices.Contains(tellingMetrics, f.GetName()) {
			s.Metrics = append(s.Metrics, f.GetName())
		}
	}
	return s
}

// loadRoles returns a configuration with files in one region, S3 in another, and a
// Redis that does not answer. Only the second region has copiers.
func loadRoles(t *testing.T, top string) *config.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
data_dir: %s
%s
cache: {type: redis, redis: {url: "redis://127.0.0.1:1/0", near: {memory: 1MiB}}}
copier: {backends: [s3/eu-west-1]}
health: {interval: 10s}
services:
  s3:
    allow: ["^https://"]
    recheck: 1h
    backends:
      us-east-1: {storage: {type: file}}
      eu-west-1: {storage: {type: s3, bucket: copies, endpoint: "http://127.0.0.1:1", path_style: true}}
`, dir, top)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// startWith returns what an App with the capabilities starts; it has run and stopped.
func startWith(t *testing.T, c *config.Config, does config.Capabilities) startedApp {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a, err := newApp(ctx, Options{Config: c, Role: "test", Logger: zap.NewNop()}, does)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	started := whatStarted(t, a)
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
	return started
}

func TestWhatEachRoleStarts(t *testing.T) {
	own := []string{"cache", "queue s3/eu-west-1", "storage s3/eu-west-1"}
	all := []string{"cache", "queue s3/eu-west-1", "queue s3/us-east-1", "storage s3/eu-west-1", "storage s3/us-east-1"}
	watched := []string{
		"admin tokens", "cache", "copies s3/eu-west-1", "queue s3/eu-west-1", "queue s3/us-east-1", "storage s3/eu-west-1", "storage s3/us-east-1",
	}
	copiesTo := []string{"s3/eu-west-1"}
	ofCopier, ofFrontEnd := tellingMetrics[:1], tellingMetrics[1:]
	// In the background, the monitor; with a front end, the watch of the tokens; with
	// files, their clean-up.
	tests := map[string]struct {
		does config.Capabilities
		want startedApp
	}{
		"serve": {config.RoleServe.Capabilities(), startedApp{
			FrontEnd: true, Copier: true, Listeners: 2, Dependencies: watched, Background: 3, Recheck: true, Near: true, CopiesTo: copiesTo, Metrics: tellingMetrics,
		}},
		"frontend": {config.RoleFrontend.Capabilities(), startedApp{
			FrontEnd: true, Listeners: 2, Dependencies: watched, Background: 3, Recheck: true, Near: true, Metrics: ofFrontEnd,
		}},
		"copier":       {config.RoleCopier.Capabilities(), startedApp{Copier: true, Listeners: 1, Dependencies: own, Background: 1, CopiesTo: copiesTo, Metrics: ofCopier}},
		"control only": {config.Capabilities{Control: true}, startedApp{Listeners: 1, Dependencies: all, Background: 2}},
		"copy and control": {config.Capabilities{Copy: true, Control: true}, startedApp{
			Copier: true, Listeners: 1, Dependencies: all, Background: 2, CopiesTo: copiesTo, Metrics: ofCopier,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tokens := filepath.Join(t.TempDir(), "tokens")
			if err := os.WriteFile(tokens, []byte("ops:0123456789abcdef\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := loadRoles(t, "admin_tokens_file: "+tokens)
			if diff := cmp.Diff(tt.want, startWith(t, c, tt.does)); diff != "" {
				t.Errorf("what it starts (-want +got):\n%s", diff)
			}
		})
	}
}

// Without tokens in the configuration, only a process that answers clients and copies
// makes one.
func TestWhichRolesMakeAToken(t *testing.T) {
	c := loadRoles(t, "")
	for role, want := range map[config.Role]bool{config.RoleServe: true, config.RoleFrontend: false, config.RoleCopier: false} {
		if got := startWith(t, c, role.Capabilities()).OwnToken; got != want {
			t.Errorf("%s: a token is made: %t, want %t", role, got, want)
		}
	}
}
