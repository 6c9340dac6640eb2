package s3store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
	"cloudmirror/test/servers"
)

func clauseBuffers(t *testing.T) *s3store.Buffers {
	t.Helper()
	buffers, err := s3store.NewBuffers(partBytes, 3*partBytes)
	if err != nil {
		t.Fatal(err)
	}
	return buffers
}

func TestADeniedWriteSaysWhatToGrant(t *testing.T) {
	server := servers.StartVersityGW(t, "eu-west-1")
	store, err := s3store.New(s3store.Options{Client: server.AnonymousClient(), Bucket: server.CreateBucket(t, ""), Buffers: clauseBuffers(t)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Put(t.Context(), strings.Repeat("a", 64)+"/0/k", strings.NewReader("x"), storage.PutOptions{SizeBytes: 1})
	got := cloudmirror.Clause(err)
	if !strings.Contains(got, "AccessDenied; grant s3:ListBucket on the bucket, s3:GetObject, s3:PutObject") || strings.HasSuffix(got, "…") {
		t.Errorf("the clause is %q, of the error %v", got, err)
	}
}

// Callers have deadlines of seconds, and learn the cause within them.
func TestARefusedConnectionIsToldWithinADeadline(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	address := "127.0.0.1:" + servers.FreePort(t)
	client, err := s3store.NewClient(t.Context(), s3store.ClientOptions{Region: "eu-west-1", Endpoint: "http://" + address, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3store.New(s3store.Options{Client: client, Bucket: "b", Buffers: clauseBuffers(t)})
	if err != nil {
		t.Fatal(err)
	}
	for range 8 { // the SDK waits for 0 to 3 s in all
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := store.Stat(ctx, strings.Repeat("a", 64)+"/0/k")
		cancel()
		if got := cloudmirror.Clause(err); got != "connection refused ("+address+")" {
			t.Errorf("the clause is %q, of the error %v", got, err)
		}
	}
}
