package clients_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"cloudmirror/test/servers"
)

// A composite is what a composite action of GitHub consists of.
type composite struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

// runAction does with deploy/client what a runner of GitHub does with a composite
// action, and returns its exit status, its outputs and its page.
func runAction(t *testing.T, dir string, inputs map[string]string) (status int, outputs, page string) {
	t.Helper()
	home, err := filepath.Abs("../../deploy/client")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(home, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var action composite
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	step := action.Runs.Steps[0]
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 || step.Shell != "bash" || strings.Contains(step.Run, "${{") {
		t.Fatalf("%+v: one step of bash is expected, with inputs in its environment", action.Runs)
	}
	if want := "${{ steps." + step.ID + ".outputs.summary }}"; action.Outputs["summary"].Value != want {
		t.Errorf("the output is %s, want %s", action.Outputs["summary"].Value, want)
	}
	meta := t.TempDir()
	env := append(os.Environ(), "no_proxy=*", "GITHUB_ACTION_PATH="+home,
		"GITHUB_OUTPUT="+filepath.Join(meta, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(meta, "page"))
	for name, expression := range step.Env {
		input := strings.TrimSuffix(strings.TrimPrefix(expression, "${{ inputs."), " }}")
		declared, known := action.Inputs[input]
		if !known {
			t.Fatalf("%s is %s, which is no input", name, expression)
		}
		value, given := inputs[input]
		if !given {
			value = declared.Default
		}
		env = append(env, name+"="+value)
	}
	c := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", write(t, "step.sh", step.Run))
	c.Dir, c.Env = dir, env
	var complaints bytes.Buffer
	c.Stderr = &complaints
	err = c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("%s", complaints.Bytes())
	output, _ := os.ReadFile(filepath.Join(meta, "output")) // none, if the step wrote none
	written, _ := os.ReadFile(filepath.Join(meta, "page"))
	return c.ProcessState.ExitCode(), string(output), string(written)
}

func TestAction(t *testing.T) {
	require(t, "curl", "--version")
	origin := startOrigin(t, map[string][]byte{"/tool": []byte("tool"), "/more": []byte("more")})
	mirror := redirects(servers.StartCloudmirror(t, binary, origin))
	list := write(t, "list", origin+"/tool "+sha256Of("tool")+"\n"+origin+"/more\n")
	for _, test := range []struct {
		name    string
		inputs  map[string]string
		status  int
		summary string
		file    string // that is there afterwards
	}{
		{"files", map[string]string{"mirror": mirror, "files": origin + "/tool " + sha256Of("tool") + " $(touch pwned) `touch pwned`"}, 0, "0 hits, 1 miss, 4 B, saved $0.00", "$(touch pwned) `touch pwned`"},
		{"a list, a directory and a price", map[string]string{"mirror": mirror, "list": list, "directory": "$(touch pwned)", "parallel": "1", "price": "2500000"}, 0, "1 hit, 1 miss, 8 B, saved $0.01", "$(touch pwned)/more"},
		{"no mirror", map[string]string{"list": list}, 0, "0 hits, 0 misses, 2 from the origin, 8 B, saved $0.00", "more"},
		{"a wrong digest", map[string]string{"mirror": mirror, "files": origin + "/tool " + sha256Of("") + "\n" + origin + "/more"}, 1, "1 hit, 0 misses, 1 failed, 4 B, saved $0.00", "more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			status, outputs, page := runAction(t, dir, test.inputs)
			if want := "cloudmirror: " + test.summary + "\n"; status != test.status || page != want || outputs != "summary="+want {
				t.Errorf("exit status %d, page %q, outputs %q; want %d, %q", status, page, outputs, test.status, want)
			}
			if _, err := os.Stat(filepath.Join(dir, test.file)); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
				t.Error("an input was run")
			}
		})
	}
}
