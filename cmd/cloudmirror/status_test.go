package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatusShowsEveryField(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	server.copies["us-east-1/"+fileTarget] = json.RawMessage(`{"url":"https://example.com/file?a=b","state":"error","tries":2,
		"error":{"message":"It was\u001b[31m refused.","code":"OriginStatus"},"size":12345678901234567890,"new_field":true}`)
	got := w.run(t.Context(), "status", "--server", server.URL, "https://example.com/file?a=b", "https://example.com/other")
	want := result{stdout: `https://example.com/file?a=b in s3/us-east-1
  state          failed
  size           12345678901234567890
  error.code     OriginStatus
  error.message  "It was\x1b[31m refused."
  new_field      true
  tries          2
https://example.com/other in s3/us-east-1
  state          absent
`}
	if got.status != 0 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(want.stdout, got.stdout); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	requests := []string{"GET /v1/status/s3/us-east-1/" + fileTarget, "GET /v1/status/s3/us-east-1/" + otherTarget}
	if diff := cmp.Diff(requests, server.log()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestStatusSaysStatesInWords(t *testing.T) {
	for want, answer := range map[string]string{
		"waiting":                                `{"state":"pending","waits_for":"host"}`,
		"copying":                                `{"state":"pending","waits_for":"copy"}`,
		"failed":                                 `{"state":"error","expires_at":"2026-11-30T05:08:20Z","error":{"permanent":false}}`,
		"given up until 2026-11-30 05:08:20 UTC": `{"state":"error","expires_at":"2026-11-30T05:08:20Z","error":{"permanent":true}}`,
		"present":                                `{"state":"present"}`,
	} {
		w, server := newWorld(t), newFakeServer(t)
		server.copies["us-east-1/"+fileTarget] = json.RawMessage(answer)
		got := w.run(t.Context(), "status", "--server", server.URL, "https://example.com/file?a=b")
		if !strings.Contains(got.stdout, "\n  state          "+want+"\n") {
			t.Errorf("%s: %+v, want %q", answer, got, want)
		}
	}
}

func TestStatusAsJSONIsWhatTheServerSays(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	server.copies["eu-west-1/"+fileTarget] = json.RawMessage("{\n  \"url\": \"https://example.com/file?a=b&c\",\n  \"state\": \"present\"\n}\n")
	w.stdin = "https://example.com/file?a=b\n"
	got := w.run(t.Context(), "status", "--json", "--token", "x", "--region", "eu-west-1", "--server", server.URL, "-")
	if want := (result{stdout: `{"url":"https://example.com/file?a=b&c","state":"present"}` + "\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	if diff := cmp.Diff([]string{"GET /v1/status/s3/eu-west-1/" + fileTarget + " Bearer x"}, server.log()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestStatusOfAnUnknownBackend(t *testing.T) {
	w, server := newWorld(t), newFakeServer(t)
	got := w.run(t.Context(), "status", "--service", "other", "--region", "x", "--server", server.URL, "https://example.com/")
	want := result{status: exitFailed, stderr: "cloudmirror: https://example.com/: UnknownBackend: There is no such backend. (HTTP 404, request r1)\n"}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
}
