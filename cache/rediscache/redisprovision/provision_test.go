package redisprovision_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"cloudmirror/cache/rediscache"
	"cloudmirror/cache/rediscache/redisprovision"
	"cloudmirror/provision"
	"cloudmirror/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAPrefixBelongsToOneDeployment(t *testing.T) {
	url := "redis://" + servers.StartRedis(t).Addr()
	run := func(owner string, adopt bool) (provision.Action, error) {
		t.Helper()
		r := redisprovision.Provision(rediscache.Options{URL: url}, owner, adopt)
		var last provision.Outcome
		_ = provision.Run(t.Context(), []provision.Resource{r}, false, func(o provision.Outcome) error { last = o; return nil })
		return last.Action, last.Err
	}
	for _, step := range []struct {
		owner string
		adopt bool
		want  provision.Action
		err   error
	}{
		{"me", false, provision.Create, nil},
		{"me", false, provision.OK, nil},
		{"you", false, "", provision.ErrForeign},
		{"you", true, provision.Change, nil},
		{"you", false, provision.OK, nil},
		{"me", false, "", provision.ErrForeign},
	} {
		if action, err := run(step.owner, step.adopt); action != step.want || !errors.Is(err, step.err) {
			t.Errorf("%+v: action %q, error %v", step, action, err)
		}
	}
}
