package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/app"
	"cloudmirror/provision"
	"cloudmirror/test/servers"
)

// TestDaysOfCopies reads them off what a server without rules is to be told by
// hand: ceil((ttl + min(11 h, ttl/2) + 1 h) / 24 h).
func TestDaysOfCopies(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.provision()
	service := w.service
	for ttl, want := range map[string]string{"1m": "1", "15h": "1", "16h": "2", "24h": "2", "36h": "2", "37h": "3", "": "8", "240h": "11"} {
		w.service = service
		if ttl != "" { // else the default of a week
			w.service += "\n    ttl: " + ttl
		}
		resources, err := app.Provision(t.Context(), w.config(), false)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(resources, func(r provision.Resource) bool { return r.Kind == provision.Lifecycle })
		step, err := resources[i].Plan(t.Context())
		if err != nil || !strings.HasSuffix(step.Details[0], `keys that begin with "": `+want) {
			t.Errorf("%s: %v, error %v, want %s days", ttl, step.Details, err, want)
		}
	}
}

func TestBackendsInOneBucketAreProvisionedTogether(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.storage += ", prefix: a/}}, eu-west-2: {storage: {" + strings.Replace(w.storage, "path_style", "region: eu-west-1, prefix: b/, path_style", 1)
	resources, err := app.Provision(t.Context(), w.config(), false)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []provision.Kind
	for _, r := range resources {
		kinds = append(kinds, r.Kind)
	}
	want := []provision.Kind{
		provision.Cache, provision.DeadLetters, provision.Queue, provision.DeadLetters, provision.Queue,
		provision.Bucket, provision.Access, provision.Lifecycle, provision.CORS,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestACopierGetsThePolicyOfItsBackends(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.storage += "}}, eu-west-2: {storage: {type: s3, bucket: another"
	w.top += "\ncopier: {backends: [s3/eu-west-2]}"
	c := w.config()
	for role, others := range map[provision.Role]bool{provision.Frontend: true, provision.Copier: false} {
		var all []string
		for _, s := range app.Policy(c, role, "*").Statement {
			all = append(all, s.Resource...)
		}
		text := strings.Join(all, " ")
		if !strings.Contains(text, ":::another/*") || !strings.Contains(text, "-s3-eu-west-2") || strings.Contains(text, w.bucket) != others || strings.Contains(text, "-s3-eu-west-1") != others {
			t.Errorf("the policy of the %s is about %v", role, all)
		}
	}
}
