// Package kubernetes_test checks deploy/kubernetes as an operator's cluster would:
// kustomize builds the base and the example, kubectl-validate holds every object
// against its schema, and what no schema knows is checked here: that ports,
// selectors, files, variables and times fit each other and the configuration.
//
// Each check is proven by faults that are planted into what kustomize built.
package kubernetes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"cloudmirror/test/servers"
)

const (
	manifests = "../../deploy/kubernetes"
	tools     = "../../.tools"
)

// overlays are what can be built, below manifests.
var overlays = []string{"base", "example/us-east-1", "example/eu-west-1"}

// binary is the program that checks the configurations, built once.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv("CLOUDMIRROR_KUBERNETES") != "1" {
		os.Exit(m.Run())
	}
	os.Exit(servers.RunWithProgram(m, &binary))
}

// build returns what kustomize makes of an overlay.
func build(t *testing.T, overlay string) string {
	t.Helper()
	if os.Getenv("CLOUDMIRROR_KUBERNETES") != "1" {
		t.Skip("needs kustomize and kubectl-validate, which `make kubernetes-test` builds; a step of its own in CI")
	}
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), filepath.Join(tools, "kustomize"), "build", filepath.Join(manifests, overlay))
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("kustomize build %s: %v\n%s", overlay, err, &stderr)
	}
	return string(output)
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// validate returns what kubectl-validate says against a file of objects; "" if
// they are as their schemas want them.
func validate(ctx context.Context, dir, text string) (string, error) {
	file := filepath.Join(dir, "objects.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, filepath.Join(tools, "kubectl-validate"), "--local-crds", filepath.Join(tools, "crds"), file)
	output, err := command.CombinedOutput()
	said := escapes.ReplaceAllString(string(output), "")
	var refused *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &refused):
		return said, nil
	}
	return "", fmt.Errorf("run kubectl-validate: %w", err)
}

func TestObjectsAreAsTheirSchemasWantThem(t *testing.T) {
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			said, err := validate(t.Context(), t.TempDir(), build(t, overlay))
			if err != nil || said != "" {
				t.Error(err, said)
			}
		})
	}
}

func TestObjectsFitEachOtherAndTheConfiguration(t *testing.T) {
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			all, err := parse(build(t, overlay))
			if err != nil {
				t.Fatal(err)
			}
			for _, complaint := range check(t, all) {
				t.Error(complaint)
			}
		})
	}
}

// check returns what is wrong between the objects of a cluster.
func check(t *testing.T, all objects) []string {
	t.Helper()
	var c complaints
	all.checkWorkloads(&c)
	all.checkServices(&c)
	all.checkScaling(&c)
	all.checkNetwork(&c)
	all.checkConfigurations(t, &c)
	return c
}

// Complaints are what is wrong, a sentence each.
type complaints []string

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

// want complains unless ok.
func (c *complaints) want(ok bool, format string, args ...any) {
	if !ok {
		c.add(format, args...)
	}
}
