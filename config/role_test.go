package config_test

import (
	"testing"

	"cloudmirror/config"
)

func TestARoleHasItsOwnCapabilitiesAlone(t *testing.T) {
	for role, want := range map[config.Role]config.Capabilities{
		config.RoleServe:    {Front: true, Copy: true, Control: true},
		config.RoleFrontend: {Front: true},
		config.RoleCopier:   {Copy: true},
		"janitor":           {},
	} {
		if got := role.Capabilities(); got != want {
			t.Errorf("%s: %+v, want %+v", role, got, want)
		}
	}
}
