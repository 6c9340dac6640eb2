package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config"
)

func TestSeveralProcessesNeedPartsThatTheyShare(t *testing.T) {
	c := load(t, "cache:\n  type: memory\n"+minimal)
	if err := c.Check(config.RoleServe); err != nil {
		t.Errorf("serve: %v", err)
	}
	for _, role := range []config.Role{config.RoleFrontend, config.RoleCopier} {
		want := strings.ReplaceAll(`cloudmirror.yaml:2: cache.type: "memory" works within one process only: ROLE needs redis (or run "cloudmirror serve", which does everything in one process)
cloudmirror.yaml:1: queue.type: "memory" works within one process only: ROLE needs sqs (or run "cloudmirror serve", which does everything in one process)
cloudmirror.yaml:8: services.s3.backends.us-east-1.storage.type: "file" works within one process only: ROLE needs s3 (or run "cloudmirror serve", which does everything in one process)`, "ROLE", string(role))
		err := c.Check(role)
		if err == nil {
			t.Fatalf("%s: no error", role)
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
}

func TestSharedPartsSuitEveryRole(t *testing.T) {
	c := load(t, shared)
	for _, role := range []config.Role{config.RoleServe, config.RoleFrontend, config.RoleCopier} {
		if err := c.Check(role); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	if c.Check("janitor") == nil {
		t.Error("an unknown role passes")
	}
}

func TestACopierMayIgnoreBackendsThatAreNotItsOwn(t *testing.T) {
	c := load(t, "copier: {backends: [s3/us-east-1]}\n"+shared+"      local: {storage: {type: file}}\n")
	if err := c.Check(config.RoleCopier); err != nil {
		t.Errorf("copier: %v", err)
	}
	if c.Check(config.RoleFrontend) == nil {
		t.Error("a front end of its own passes with file storage")
	}
}
