package app_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"cloudmirror/app"
	"cloudmirror/doctor"
	"cloudmirror/provision"
	"cloudmirror/test/servers"
)

// Two servers may each have a bucket of one name. Neither provisioning nor doctor
// takes one for the other.
func TestOneBucketNameOnTwoServers(t *testing.T) {
	first, second := servers.StartVersityGW(t, "eu-west-1"), servers.StartVersityGW(t, "eu-west-1")
	w := newWard(t, first)
	w.storage += fmt.Sprintf("}}, eu-west-2: {storage: {type: s3, bucket: %s, region: eu-west-1, endpoint: '%s', path_style: true", w.bucket, second.Endpoint)
	names := make(map[provision.Kind][]string)
	resources, err := app.Provision(t.Context(), w.config(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		names[r.Kind] = append(names[r.Kind], r.Name)
	}
	atFirst, atSecond := w.bucket+" at "+first.Endpoint, w.bucket+" at "+second.Endpoint
	for _, kind := range []provision.Kind{provision.Bucket, provision.Access, provision.Lifecycle, provision.CORS} {
		if want := []string{atFirst, atSecond}; !slices.Equal(names[kind], want) {
			t.Errorf("%s: %v, want %v", kind, names[kind], want)
		}
	}

	w.provision()
	remove(w, second)
	findings := make(map[string][]doctor.ID)
	err = app.Diagnose(t.Context(), w.config(), w.now, func(f doctor.Finding) { findings[f.Subject] = append(findings[f.Subject], f.ID) })
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string][]doctor.ID{
		"bucket " + atFirst: {doctor.Looked}, "client-access " + atFirst: {doctor.Looked}, "copies of s3/eu-west-1": {doctor.Looked},
		"bucket " + atSecond: {"bucket-missing"}, "client-access " + atSecond: nil, "copies of s3/eu-west-2": nil,
	} {
		if diff := cmp.Diff(want, findings[subject]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", subject, diff)
		}
	}
}

// remove removes the ward's bucket from a server.
func remove(w *ward, server *servers.S3) {
	w.Helper()
	if _, err := server.Client().DeleteBucket(w.Context(), &s3.DeleteBucketInput{Bucket: &w.bucket}); err != nil {
		w.Fatal(err)
	}
}
