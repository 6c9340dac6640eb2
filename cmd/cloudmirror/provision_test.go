package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// newProvisioning writes a configuration of real servers. The bucket is on
// versitygw, which has no lifecycle rules.
func newProvisioning(t *testing.T) (w *world, queues *sqstest.Server, bucket string) {
	t.Helper()
	server := servers.StartVersityGW(t, "eu-west-1")
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	queues, endpoint := sqstest.Start(t, sqstest.Options{})
	redis := servers.StartRedis(t)
	w = newWorld(t)
	write(t, "mirror.yaml", fmt.Sprintf(`admin_tokens: [4Yk0mBv2nQ7sX9tR1cWz]
cache: {type: redis, redis: {url: 'redis://%s/0', near: {memory: 0}}}
queue: {type: sqs, sqs: {endpoint: '%s'}}
services:
  s3:
    allow: ['^https://releases\.example\.com/']
    backends:
      eu-west-1: {storage: {type: s3, bucket: mirror, prefix: a/, endpoint: '%s', path_style: true}}
      eu-west-2: {storage: {type: s3, bucket: mirror, prefix: b/, region: eu-west-1, endpoint: '%[3]s', path_style: true}}
`, redis.Addr(), endpoint, server.Endpoint))
	return w, queues, "mirror"
}

func TestProvision(t *testing.T) {
	w, queues, bucket := newProvisioning(t)
	dry := w.run(t.Context(), "provision", "--config", "mirror.yaml", "--dry-run")
	if dry.status != exitOK || !strings.Contains(dry.stdout, "+ bucket        "+bucket) || !strings.HasSuffix(dry.stdout, "8 to create, 0 to change, 1 ok; nothing was changed\n") {
		t.Errorf("dry run: %+v", dry)
	}
	if n := queues.Requests("CreateQueue"); n != 0 {
		t.Errorf("the dry run made %d queues", n)
	}
	made := w.run(t.Context(), "provision", "--config", "mirror.yaml")
	if made.status != exitOK || !strings.HasSuffix(made.stdout, "created 7, changed 0, ok 1\n") || !strings.Contains(made.stderr, "1 to do by hand") {
		t.Errorf("made: %+v", made)
	}
	again := w.run(t.Context(), "provision", "--config", "mirror.yaml", "--json")
	if again.status != exitOK {
		t.Errorf("again: %+v", again)
	}
	for line := range strings.Lines(again.stdout) {
		var o outcomeLine
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		if want := o.Kind == provision.Lifecycle; o.Done == want || (o.Action == provision.Manual) != want || o.Error != "" {
			t.Errorf("again: %s", line)
		}
	}
}

func TestProvisionTellsWhatFails(t *testing.T) {
	w, queues, _ := newProvisioning(t)
	queues.Inject("CreateQueue", 1, sqstest.Fault{Code: "AccessDeniedException"})
	got := w.run(t.Context(), "provision", "--config", "mirror.yaml", "--json")
	if got.status != exitFailed || strings.Count(got.stdout, `"error":`) != 1 || strings.Count(got.stdout, "\n") != 9 {
		t.Errorf("%+v", got)
	}
}

func TestProvisionOfMemoryAndFiles(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		args   []string
		status int
		output string
	}{
		{[]string{"provision"}, exitOK, "need nothing"},
		{[]string{"provision", "policy", "copier"}, exitUsage, "nothing to allow"},
		{[]string{"provision", "policy", "butler"}, exitUsage, "invalid argument"},
		{[]string{"provision", "policy", "copier", "--account", "1234"}, exitUsage, "neither twelve digits"},
		{[]string{"doctor"}, exitOK, "0 errors"},
	} {
		if got := w.run(t.Context(), test.args...); got.status != test.status || !strings.Contains(got.stdout+got.stderr, test.output) {
			t.Errorf("%v: %+v", test.args, got)
		}
	}
}

func TestDoctorsExitStatus(t *testing.T) {
	w, queues, _ := newProvisioning(t)
	if got := w.run(t.Context(), "provision", "--config", "mirror.yaml"); got.status != exitOK {
		t.Fatalf("%+v", got)
	}
	if got := w.run(t.Context(), "doctor", "--config", "mirror.yaml"); got.status != exitOK || !strings.Contains(got.stdout, "[lifecycle-manual]\n        to do: ") {
		t.Errorf("with a warning: %+v", got)
	}
	if got := w.run(t.Context(), "doctor", "--config", "mirror.yaml", "--strict"); got.status != exitFailed {
		t.Errorf("with a warning, strictly: %+v", got)
	}
	queues.Inject("GetQueueUrl", 1, sqstest.Fault{Code: "AccessDeniedException"})
	got := w.run(t.Context(), "doctor", "--config", "mirror.yaml", "--json")
	if got.status != exitFailed || !strings.Contains(got.stdout, `{"id":"dead-letters-unreachable","severity":"error",`) {
		t.Errorf("with an error: %+v", got)
	}
}

func TestAPolicyAsJSONIsOneLine(t *testing.T) {
	w := newWorld(t)
	write(t, "mirror.yaml", "queue: {type: sqs}\ncache: {type: redis}\n"+
		"services: {s3: {allow: ['^https://releases\\.example\\.com/'], backends: {eu-west-1: {storage: {type: s3, bucket: mirror}}}}}\n")
	for _, args := range [][]string{nil, {"--json"}} {
		got := w.run(t.Context(), append([]string{"provision", "policy", "copier", "--config", "mirror.yaml"}, args...)...)
		var policy struct{ Statement []map[string]any }
		if err := json.Unmarshal([]byte(got.stdout), &policy); err != nil || len(policy.Statement) == 0 {
			t.Errorf("%v: %+v: %v", args, got, err)
		}
		if isLine := strings.Count(got.stdout, "\n") == 1; isLine != (args != nil) {
			t.Errorf("%v: %s", args, got.stdout)
		}
	}
}
