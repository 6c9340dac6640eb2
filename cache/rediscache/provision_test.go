package rediscache_test

import (
	"errors"
	"testing"
	"time"

	"cloudmirror/cache/rediscache"
	"cloudmirror/provision"
	"cloudmirror/test/servers"
)

func TestAPrefixBelongsToOneDeployment(t *testing.T) {
	url := singleURL(servers.StartRedis(t))
	run := func(owner string, adopt bool) (provision.Action, error) {
		t.Helper()
		r, err := rediscache.Provision(rediscache.Options{URL: url}, owner, adopt)
		if err != nil {
			t.Fatal(err)
		}
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

func TestInspectAsksEveryMaster(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t)
	ahead := func() time.Time { return time.Now().Add(-time.Hour) } // the servers are, of us
	nodes, err := rediscache.Inspect(t.Context(), rediscache.Options{URL: clusterURL(cluster), Prefix: "test:"}, ahead)
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%d nodes, error %v", len(nodes), err)
	}
	for _, n := range nodes {
		if n.Version == "" || n.Replica || n.EvictionPolicy != "noeviction" || n.MaxMemoryBytes != 0 || n.Tracking != nil || n.Writing != nil || n.Info != nil {
			t.Errorf("%+v", n)
		}
		if (n.Ahead - time.Hour).Abs() > time.Minute {
			t.Errorf("its clock is said to be %v ahead", n.Ahead)
		}
	}
}
