package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror"
	"cloudmirror/storage"
	"cloudmirror/storage/s3store"
	"cloudmirror/test/servers"
)

// TestVerifyOnS3 damages copies of one part and of several, beneath what is kept
// about them.
func TestVerifyOnS3(t *testing.T) {
	const partBytes = 5 << 20
	server := servers.StartVersityGW(t, "eu-west-1")
	bucket := server.CreateBucket(t, "")
	buffers, err := s3store.NewBuffers(partBytes, 6*partBytes)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3store.New(s3store.Options{Client: server.Client(), Bucket: bucket, Buffers: buffers})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey) // the SDK's usual ways
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	write(t, "mirror.yaml", fmt.Sprintf("services:\n  s3:\n    allow: ['^https://']\n    backends:\n"+
		"      eu-west-1: {storage: {type: s3, bucket: %s, region: eu-west-1, endpoint: %q, path_style: true}}\n", bucket, server.Endpoint))
	for name, size := range map[string]int{"one-part": 1000, "several-parts": partBytes + 1000} {
		url := "https://example.com/" + name
		object, err := cloudmirror.ParseObject(url)
		if err != nil {
			t.Fatal(err)
		}
		content, key := strings.Repeat("x", size), object.StorageKey(cloudmirror.FirstGeneration)
		if _, err := store.Put(t.Context(), key, strings.NewReader(content), storage.PutOptions{SizeBytes: int64(size), Source: url}); err != nil {
			t.Fatal(err)
		}
		if got := w.run(t.Context(), "verify", "--config", "mirror.yaml", url); got.status != exitOK || !strings.HasPrefix(got.stdout, "good ") {
			t.Errorf("%s: %+v", name, got)
		}
		head, err := server.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		damaged := []byte(content)
		damaged[size/2] ^= 1
		_, err = server.Client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(damaged), Metadata: head.Metadata,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.run(t.Context(), "verify", "--config", "mirror.yaml", url); got.status != exitFailed || !strings.HasPrefix(got.stdout, "damaged ") {
			t.Errorf("%s, damaged: %+v", name, got)
		}
	}
}
