package main

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"

	"cloudmirror/config"
)

func TestConfigCheckSaysWhatAFileSuits(t *testing.T) {
	w := newWorld(t)
	write(t, "one.yaml", severalYAML)
	got := w.run(t.Context(), "config", "check", "--config", "one.yaml")
	if want := (result{stdout: "one.yaml: fine for serve\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	write(t, "all.yaml", "cache: {type: redis}\nqueue: {type: sqs}\n"+strings.ReplaceAll(
		strings.Replace(severalYAML, "{type: file}", "{type: s3, bucket: abc}", 1), "{type: file}", "{type: s3, bucket: abd, endpoint: http://h}"))
	got = w.run(t.Context(), "config", "check", "--config", "all.yaml")
	if got.status != exitUsage || !strings.Contains(got.stderr, "overlaps") {
		t.Errorf("%+v", got)
	}
	w.environ = []string{"CLOUDMIRROR_BOGUS=1"}
	got = w.run(t.Context(), "config", "check", "--json")
	want := result{stdout: `{"ok":true,"suits":["serve"],"errors":[],"warnings":["the environment variable CLOUDMIRROR_BOGUS sets no key"]}` + "\n"}
	if got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	if got = w.run(t.Context(), "config", "check"); got.stderr != "warning: the environment variable CLOUDMIRROR_BOGUS sets no key\n" {
		t.Errorf("%+v", got)
	}
}

func TestConfigCheckForARole(t *testing.T) {
	w := newWorld(t)
	got := w.run(t.Context(), "config", "check", "--json", "--role", "copier")
	var answer struct {
		OK     bool
		Errors []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatal(err)
	}
	if got.status != exitUsage || answer.OK || len(answer.Errors) != 3 || !strings.Contains(answer.Errors[0], "cache.type") {
		t.Errorf("%+v", got)
	}
	if got := w.run(t.Context(), "config", "check", "--role", "janitor"); got.status != exitUsage || !strings.Contains(got.stderr, `role "janitor" must be serve, frontend or copier`) {
		t.Errorf("%+v", got)
	}
}

func TestConfigExampleChecksAndPrints(t *testing.T) {
	w := newWorld(t)
	example := w.run(t.Context(), "config", "example")
	if example.stdout != config.Example() {
		t.Error("the printed example is not the example")
	}
	write(t, "example.yaml", example.stdout)
	if got := w.run(t.Context(), "config", "check", "--config", "example.yaml"); got.status != 0 {
		t.Errorf("%+v", got)
	}
	printed := w.run(t.Context(), "config", "print", "--config", "example.yaml")
	if printed.status != 0 || !strings.Contains(printed.stdout, "      bucket: cloudmirror-eu-west-1\n") {
		t.Errorf("%+v", printed)
	}
}

func TestConfigPrintAsJSON(t *testing.T) {
	w := newWorld(t)
	w.environ = []string{"CLOUDMIRROR_CACHE_REDIS_URL=redis://:hunter2@h:1/0"}
	got := w.run(t.Context(), "config", "print", "--json")
	var tree struct {
		Cache struct {
			Redis struct{ URL string }
		}
		Services map[string]struct{ Ports []int }
	}
	if err := json.Unmarshal([]byte(got.stdout), &tree); err != nil {
		t.Fatal(err)
	}
	if tree.Cache.Redis.URL != "redis://:***@h:1/0" || len(tree.Services["s3"].Ports) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestVersionNamesTheRevision(t *testing.T) {
	v := versionOf(&debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
		},
	})
	if got := v.String(); !strings.HasPrefix(got, "cloudmirror v1.2.3\ngo") || !strings.HasSuffix(got, "\nrevision 0123abc of 2026-01-02T03:04:05Z, modified") {
		t.Error(got)
	}
	var answer version
	got := newWorld(t).run(t.Context(), "version", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer != buildVersion() {
		t.Errorf("%v: %+v", err, got)
	}
}
