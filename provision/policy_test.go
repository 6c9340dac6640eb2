package provision_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/provision"
)

func TestStatementsOfOneKindBecomeOne(t *testing.T) {
	read, list := []string{"s3:GetObject"}, []string{"s3:ListBucket"}
	shared := []string{"bucket"}
	got := provision.NewPolicy(
		provision.Allow("List", list, shared), provision.Allow("Read", read, []string{"a/*"}),
		provision.Allow("List", list, shared), provision.Allow("Read", read, []string{"b/*"}),
	)
	want := provision.Policy{Version: "2012-10-17", Statement: []provision.Statement{
		{Sid: "List", Effect: "Allow", Action: list, Resource: []string{"bucket"}},
		{Sid: "Read", Effect: "Allow", Action: read, Resource: []string{"a/*", "b/*"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the policy (-want +got):\n%s", diff)
	}
	if len(shared) != 1 {
		t.Errorf("the caller's resources became %v", shared)
	}
}

func TestPartitions(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc", "us-isob-east-1": "aws-iso-b", "auto": "aws"} {
		if got := provision.Partition(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}
