package main

import (
	"runtime/debug"
	"testing"

	"cloudmirror/config"
)

func TestGarbageCollectionIsTunedForFrontEnds(t *testing.T) {
	for phrase, test := range map[string]struct {
		role    config.Role
		environ []string
		tuned   bool
	}{
		"a front end":                           {config.RoleFrontend, []string{"HOME=/", "GOMEMLIMIT=1GiB"}, true},
		"a front end with an empty GOGC":        {config.RoleFrontend, []string{"GOGC="}, true},
		"a front end whose operator knows best": {config.RoleFrontend, []string{"GOGC=100"}, false},
		"a copier":                              {config.RoleCopier, nil, false},
		"a server that copies as well":          {config.RoleServe, nil, false},
	} {
		t.Run(phrase, func(t *testing.T) {
			before := debug.SetGCPercent(100)
			defer debug.SetGCPercent(before)
			tuneGC(test.role, test.environ)
			want := 100
			if test.tuned {
				want = frontendGCPercent
			}
			if got := debug.SetGCPercent(100); got != want {
				t.Errorf("GOGC is %d, want %d", got, want)
			}
		})
	}
}
