// Package systemd_test checks deploy/systemd: systemd-analyze verifies the units
// and scores their hardening, the program checks the configuration as each unit
// would start it, and times and limits are held against each other.
//
// Each check is proven by faults that are planted into the units.
package systemd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror/config"
	"cloudmirror/test/servers"
)

const (
	// threshold is the exposure that `systemd-analyze security` may find, in tenths
	// (0 to 100). It finds 1.2; what makes a difference must not go unnoticed.
	threshold = "15"
	installed = "/usr/local/bin/cloudmirror"
	directory = "../../deploy/systemd"
)

// units are the roles by the names of their units.
var units = map[string]config.Role{
	"cloudmirror.service":          config.RoleServe,
	"cloudmirror-frontend.service": config.RoleFrontend,
	"cloudmirror-copier.service":   config.RoleCopier,
}

// binary is the program that the units start, built once.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv("CLOUDMIRROR_SYSTEMD") != "1" {
		os.Exit(m.Run())
	}
	os.Exit(servers.RunWithProgram(m, &binary))
}

// read returns a unit as it is delivered.
func read(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("CLOUDMIRROR_SYSTEMD") != "1" {
		t.Skip("needs systemd-analyze, which `make systemd-test` installs; a step of its own in CI")
	}
	text, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestUnits(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(directory, "*.service"))
	if err != nil || len(files) != len(units) {
		t.Fatalf("there are other units than this test knows: %q (%v)", files, err)
	}
	for name := range units {
		t.Run(name, func(t *testing.T) {
			for _, complaint := range check(t, name, read(t, name)) {
				t.Error(complaint)
			}
		})
	}
}

// check returns what is wrong with a unit.
func check(t *testing.T, name, text string) []string {
	t.Helper()
	u := unit{name: name, role: units[name], text: text}
	return slices.Concat(u.analyze(t), u.checkConfiguration(t), u.checkMemory())
}

type unit struct {
	name string
	role config.Role
	text string
}

// settings returns the values of a key, in order.
func (u unit) settings(key string) []string {
	var values []string
	for line := range strings.Lines(u.text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), key+"="); found {
			values = append(values, value)
		}
	}
	return values
}

// analyze has systemd itself read the unit, with the program where it was built.
func (u unit) analyze(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), u.name)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(u.text, installed, binary)), 0o600); err != nil {
		t.Fatal(err)
	}
	var complaints []string
	for _, arguments := range [][]string{
		{"verify", file},
		{"security", "--offline=true", "--no-pager", "--threshold=" + threshold, file},
	} {
		command := exec.CommandContext(t.Context(), "systemd-analyze", arguments...)
		output, err := command.CombinedOutput()
		if err != nil || arguments[0] == "verify" && len(output) > 0 {
			complaints = append(complaints, fmt.Sprintf("systemd-analyze %s: %v\n%s", arguments[0], err, output))
		}
	}
	return complaints
}

// checkConfiguration has the program check the delivered configuration with the
// role and the environment of the unit, then compares the time that it may take
// to stop with the time that it gets.
func (u unit) checkConfiguration(t *testing.T) []string {
	t.Helper()
	start := u.settings("ExecStart")
	if want := installed + " " + string(u.role) + " --config /etc/cloudmirror/cloudmirror.yaml"; !slices.Equal(start, []string{want}) {
		return []string{fmt.Sprintf("it starts %q, not %q", start, want)}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokens"), []byte("a-token-of-the-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := u.settings("Environment")
	for i := range environ {
		environ[i] = strings.NewReplacer("%d", dir, "%S", dir).Replace(environ[i])
	}
	const file = "../../deploy/cloudmirror.yaml"
	command := exec.CommandContext(t.Context(), binary, "config", "check", "--role", string(u.role), "--config", file)
	command.Env = environ
	if u.role == config.RoleServe { // has its tokens from a file of its own
		command.Env = append(command.Env, "CLOUDMIRROR_ADMIN_TOKENS_FILE=/dev/null")
	}
	if output, err := command.CombinedOutput(); err != nil || strings.Contains(string(output), "warning") {
		return []string{fmt.Sprintf("config check: %v\n%s", err, output)}
	}
	loaded, err := config.Load(file, command.Env, config.Overrides{})
	if err != nil {
		return []string{err.Error()}
	}
	var complaints []string
	stop := loaded.ShutdownDelay + loaded.Copier.Grace + 30*time.Second // for handing jobs back
	allowed, err := time.ParseDuration(strings.Join(u.settings("TimeoutStopSec"), " "))
	if err != nil || allowed < stop {
		complaints = append(complaints, fmt.Sprintf("it is killed after %v (%v), and may take %v to stop", allowed, err, stop))
	}
	if u.role == config.RoleFrontend && len(loaded.Tokens()) == 0 {
		complaints = append(complaints, "it has no admin tokens")
	}
	return complaints
}

// checkMemory wants GOMEMLIMIT to be about 90 % of what the unit may have.
func (u unit) checkMemory() []string {
	limits := map[string]int{"1G": 1024, "512M": 512}
	hard, soft := limits[strings.Join(u.settings("MemoryMax"), " ")], 0
	for _, variable := range u.settings("Environment") {
		_, _ = fmt.Sscanf(variable, "GOMEMLIMIT=%dMiB", &soft)
	}
	if soft < hard*85/100 || soft > hard*95/100 || hard == 0 {
		return []string{fmt.Sprintf("GOMEMLIMIT is %d MiB, MemoryMax %d", soft, hard)}
	}
	return nil
}

func TestPlantedFaultsAreFound(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"root", "DynamicUser=yes\n", "", "Overall exposure"},
		{"an open file system", "DynamicUser=yes\nUMask=0077\nCapabilityBoundingSet=\nAmbientCapabilities=\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\nPrivateUsers=yes\n", "", "Overall exposure"},
		{"all system calls", "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n", "", "Overall exposure"},
		{"a misspelt key", "NoNewPrivileges=yes", "NoNewPrivilege=yes", "Unknown key"},
		{"a bad value", "Restart=on-failure", "Restart=on-fail", "systemd-analyze verify"},
		{"another program", installed, "/usr/bin/cloudmirror", "it starts"},
		{"a variable that sets no key", "CLOUDMIRROR_ADMIN_TOKENS_FILE=%d", "CLOUDMIRROR_TOKENS_FILE=%d", "config check"},
		{"too little time to stop", "TimeoutStopSec=90s", "TimeoutStopSec=20s", "is killed after 20s"},
		{"too little memory", "MemoryMax=1G", "MemoryMax=512M", "GOMEMLIMIT is 920"},
	}
	const name = "cloudmirror-frontend.service"
	text := read(t, name)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(text, tt.old) {
				t.Fatalf("%q is not there any more: plant something else", tt.old)
			}
			if said := strings.Join(check(t, name, strings.Replace(text, tt.old, tt.new, 1)), "\n"); !strings.Contains(said, tt.want) {
				t.Errorf("it was not found: %.500q", said)
			}
		})
	}
}
