package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
)

func TestPurgeRemovesTheCopyOfOneRegionOrOfAll(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	for _, region := range []string{"us-east-1", "eu-west-1", "eu-west-2"} {
		server.copies[region+"/"+fileTarget] = json.RawMessage(`{}`)
	}
	got := w.run(t.Context(), "purge", "--server", server.URL, "https://example.com/file?a=b")
	if want := (result{stdout: "purged https://example.com/file?a=b from s3/us-east-1\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	if len(server.copies) != 2 {
		t.Errorf("left: %v", server.copies)
	}
	got = w.run(t.Context(), "purge", "--json", "--server", server.URL+"/", "--region", "*", "https://example.com/file?a=b")
	if want := (result{stdout: `{"url":"https://example.com/file?a=b","service":"s3","region":"*","purged":true,"regions":[{"region":"eu-west-1","result":"purged"},{"region":"eu-west-2","result":"purged"},{"region":"us-east-1","result":"absent"}]}` + "\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	if len(server.copies) != 0 {
		t.Errorf("left: %v", server.copies)
	}
	want := []string{
		"DELETE /v1/purge/s3/us-east-1/" + fileTarget + " Bearer " + fakeToken,
		"DELETE /v1/purge/s3/*/" + fileTarget + " Bearer " + fakeToken,
	}
	if diff := cmp.Diff(want, server.log()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// The URLs of old copies have dot segments, which clients may not ask for.
func TestCommandsKnowOldURLs(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
	const old = "https://example.com/public/../private/x"
	target := base64.RawURLEncoding.EncodeToString([]byte(old))
	server.copies["us-east-1/"+target] = json.RawMessage(`{"state":"present"}`)
	for _, command := range []string{"status", "purge"} {
		if got := w.run(t.Context(), command, "--server", server.URL, old); got.status != exitOK || !strings.Contains(got.stdout, old) {
			t.Errorf("%s: %+v", command, got)
		}
	}
	want := []string{"GET /v1/status/s3/us-east-1/" + target + " Bearer " + fakeToken, "DELETE /v1/purge/s3/us-east-1/" + target + " Bearer " + fakeToken}
	if diff := cmp.Diff(want, server.log()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	storeCopy(t, "us-east-1", old, cloudmirror.FirstGeneration, time.Time{})
	if got := w.run(t.Context(), "verify", old); got.status != exitOK || !strings.HasPrefix(got.stdout, "good ") {
		t.Errorf("verify: %+v", got)
	}
	if got := w.run(t.Context(), "rewrite", "--server", server.URL, old); got.status != exitFailed {
		t.Errorf("rewrite: %+v", got)
	}
}

func TestTheTokenComesFromFlagThenEnvironmentThenDataDirectory(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	tokenOf := func(args ...string) string {
		t.Helper()
		got := w.run(t.Context(), append([]string{"purge", "--server", server.URL, "https://example.com/"}, args...)...)
		log := server.log()
		if len(log) == 0 {
			return got.stderr
		}
		_, token, _ := strings.Cut(log[0], " Bearer ")
		return token
	}
	if got := tokenOf(); !strings.Contains(got, "a token is needed: set CLOUDMIRROR_TOKEN or pass --token; ./data/admin-token is not there") {
		t.Errorf("without any: %q", got)
	}
	if err := os.Mkdir("data", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "data/admin-token", "of-the-file\n")
	if got := tokenOf(); got != "of-the-file" {
		t.Errorf("with a file: %q", got)
	}
	w.environ = []string{"CLOUDMIRROR_TOKEN=of-the-environment"}
	if got := tokenOf(); got != "of-the-environment" {
		t.Errorf("with a variable: %q", got)
	}
	if got := tokenOf("--token", "of-the-flag"); got != "of-the-flag" {
		t.Errorf("with a flag: %q", got)
	}
}

func TestWhatTheServerRefusesIsShown(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	got := w.run(t.Context(), "purge", "--json", "--token", "wrong", "--server", server.URL, "https://example.com/file?a=b")
	want := result{
		status: exitFailed,
		stdout: `{"url":"https://example.com/file?a=b","failed":{"status":401,"code":"Unauthorized","message":"A valid bearer token is needed.","request_id":"r1"}}` + "\n",
		stderr: "cloudmirror: https://example.com/file?…: Unauthorized: A valid bearer token is needed. (HTTP 401, request r1)\n",
	}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
}

func TestAnUnreachableServerIsNamedWithoutTheOriginURL(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	got := w.run(t.Context(), "purge", "--token", "x", "--server", server.URL, "https://example.com/file?a=b")
	if got.status != exitFailed || !strings.HasPrefix(got.stderr, "cloudmirror: https://example.com/file?…: ask "+server.URL+": connection refused ") ||
		strings.Contains(got.stderr, fileTarget) {
		t.Errorf("%+v", got)
	}
}

func TestAServerThatIsNoCloudmirrorGetsNoTokenByRedirect(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	stranger := httptest.NewServer(http.RedirectHandler(server.URL+"/v1/status/s3/us-east-1/"+fileTarget, http.StatusFound))
	defer stranger.Close()
	got := w.run(t.Context(), "status", "--token", fakeToken, "--server", stranger.URL, "https://example.com/file?a=b")
	if got.status != exitFailed || !strings.Contains(got.stderr, "the answer is a redirect, which is not followed: --server must be where it leads to (HTTP 302)") {
		t.Errorf("%+v", got)
	}
	if log := server.log(); len(log) != 0 {
		t.Errorf("requests %q", log)
	}
}

func TestPurgeStopsWhenItsContextEnds(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked) // a second request would panic
		<-r.Context().Done()
	}))
	defer server.Close()
	go func() { <-asked; cancel() }()
	got := w.run(ctx, "purge", "--token", "x", "--server", server.URL, "https://example.com/1", "https://example.com/2")
	if got.status != exitFailed || strings.Contains(got.stderr, "/2") {
		t.Errorf("%+v", got)
	}
}
