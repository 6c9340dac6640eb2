package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/api"
)

// A scene is what a server says of its deployment.
type scene struct {
	backends  []map[string]any
	processes []map[string]any // nil: it tells no stranger
	presence  string           // "": it is of an older release
	ready     string           // the answer of /readyz; "": 404
	draining  bool
}

const allReady = "ready\ncache: ok\ncopies s3/eu-west-1: ok\nqueue s3/eu-west-1: ok\nstorage s3/eu-west-1: not checked yet\ncopiers s3/eu-west-1: not known: why\n"

// aBackend returns a backend that is well.
func aBackend(service, region string) map[string]any {
	return map[string]any{
		"service": service, "region": region, "provider": "s3", "health": "ok", "copiers": 2,
		"queue":     map[string]int{"ready": 12, "delayed": 1, "in_flight": 3, "dead_letters": 0},
		"requests":  map[string]int{"hit": 7},
		"last_hour": map[string]int{"hit": 1234, "backfill": 10, "miss": 3, "fallback": 1, "direct": 4, "error": 0, "gone": 9},
		"copies":    map[string]int{"running": 3, "waiting": 2},
	}
}

// with returns a backend of which some members are others.
func with(backend, members map[string]any) map[string]any {
	for name, value := range members {
		backend[name] = value
	}
	return backend
}

func aProcess(role, name string, copiesTo []string, down ...api.Dependency) map[string]any {
	return map[string]any{
		"role": role, "name": name, "version": "1.2.3", "started": "2026-11-30T07:12:05.123Z",
		"copies_to": copiesTo, "down": append([]api.Dependency{}, down...),
	}
}

func isDown(name, cause string) api.Dependency { return api.Dependency{Name: name, Cause: cause} }

func theProcesses() []map[string]any {
	return []map[string]any{
		aProcess("frontend", "web-1:4711", []string{}),
		aProcess("copier", "copier-1.eu-west-1.compute.internal:17", []string{"s3/eu-west-1", "s3/us-east-1", "releases/ap-southeast-1"}),
	}
}

// ServeHTTP answers as a front end.
func (s *scene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/backends":
		answer := map[string]any{"backends": s.backends}
		if s.presence != "" {
			answer["presence"], answer["version"] = s.presence, "1.2.3"
		}
		if s.processes != nil && r.Header.Get("Authorization") != "" {
			answer["processes"] = s.processes
		}
		_ = json.NewEncoder(w).Encode(answer)
	case r.URL.Path == "/readyz" && s.ready != "":
		if s.draining {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(s.ready))
	default:
		refuse(w, http.StatusNotFound, "NotFound", "There is nothing here.")
	}
}

// serve starts a server that says what a scene holds.
func (s *scene) serve(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func fortyBackends() []map[string]any {
	var backends []map[string]any
	for i := range 40 {
		b := aBackend("s3", fmt.Sprintf("region-%02d", i+1))
		switch {
		case i == 3:
			b["queue"] = map[string]int{"ready": 123_456, "delayed": 12_345_678, "in_flight": 99_999, "dead_letters": 100_000}
			b["last_hour"] = map[string]uint64{"hit": 1 << 63, "miss": 9_999_999}
		case i%2 == 0:
			b = with(b, map[string]any{"health": "no-copier", "cause": "no process copies to it", "copiers": 0})
		}
		backends = append(backends, b)
	}
	return backends
}

func scenes() map[string]scene {
	redis := "connection refused (127.0.0.1:6379)"
	cut := map[string]any{"health": "cache-down", "cause": redis, "copiers": nil}
	return map[string]scene{
		"healthy": {
			backends:  []map[string]any{aBackend("s3", "eu-west-1"), aBackend("s3", "us-east-1"), aBackend("releases", "ap-southeast-1")},
			processes: theProcesses(), presence: "ok", ready: allReady,
		},
		"a region away": {
			backends: []map[string]any{
				aBackend("s3", "eu-west-1"),
				with(aBackend("s3", "us-east-1"), map[string]any{"health": "region-unreachable", "cause": "no answer within 3s (s3.us-east-1.amazonaws.com:443)", "queue": nil}),
			},
			processes: append(theProcesses(), aProcess("copier", "copier-2:9", []string{"s3/us-east-1"},
				isDown("storage s3/us-east-1", "no answer within 3s"), isDown("queue s3/us-east-1", "no answer within 3s"))),
			presence: "ok", ready: strings.ReplaceAll(allReady, "copies s3/eu-west-1: ok\n", "copies s3/us-east-1: no answer within 3s\n"),
		},
		"no copier": {
			backends: []map[string]any{
				with(aBackend("s3", "eu-west-1"), map[string]any{"health": "no-copier", "cause": "no process copies to it", "copiers": 0}),
				with(aBackend("s3", "us-east-1"), map[string]any{"queue": map[string]int{"ready": 0, "dead_letters": 3}}),
			},
			processes: theProcesses()[:1], presence: "ok", ready: allReady + "copiers s3/eu-west-1: no process copies to it\n",
		},
		"Redis stopped": {
			backends:  []map[string]any{with(aBackend("s3", "eu-west-1"), cut), with(aBackend("s3", "us-east-1"), cut)},
			processes: []map[string]any{aProcess("frontend", "web-1:4711", nil, isDown("cache", redis))},
			presence:  "not known: " + redis, ready: "ready\ncache: " + redis + "\n",
		},
		"older server": {
			backends: []map[string]any{
				{"service": "s3", "region": "eu-west-1", "provider": "s3", "health": "ok", "queue": map[string]int{"ready": 1}, "requests": map[string]int{"hit": 7}},
				{"service": "s3", "region": "us-east-1", "provider": "s3", "health": "queue-unreachable", "queue": nil, "requests": map[string]int{}},
			},
			ready: "ready\nqueue s3/us-east-1: dial tcp 10.0.0.1:443: i/o timeout\n",
		},
		"older server that is well": {backends: []map[string]any{{"service": "s3", "region": "eu-west-1", "health": "ok"}}, ready: "ready\n"},
		"no token":                  {backends: []map[string]any{aBackend("s3", "eu-west-1")}, processes: theProcesses(), presence: "ok", ready: allReady},
		"draining": {
			backends: []map[string]any{aBackend("s3", "eu-west-1")}, processes: theProcesses(), presence: "ok",
			ready: "starting or draining\ncache: ok\n", draining: true,
		},
		"a wrong token":        {backends: []map[string]any{aBackend("s3", "eu-west-1")}, presence: "ok", ready: allReady},
		"readyz not passed on": {backends: []map[string]any{aBackend("s3", "eu-west-1")}, presence: "ok"},
		"forty backends":       {backends: fortyBackends(), processes: theProcesses(), presence: "ok", ready: allReady},
		"all that can be":      worstScene(),
		"awkward values":       awkwardScene(),
	}
}

// worstScene has one of everything that can be wrong.
func worstScene() scene {
	s := scene{presence: "not known: why not", ready: "starting or draining\nadmin tokens: line 3 is no token\n", draining: true}
	for _, health := range []string{"ok", "unknown", "queue-unreachable", "no-copier", "storage-down", "region-unreachable", "cache-down"} {
		s.backends = append(s.backends, with(aBackend("s3", "r-"+health), map[string]any{"health": health, "cause": "cause of " + health}))
	}
	s.backends[0]["queue"] = map[string]int{"dead_letters": 17}
	return s
}

// awkwardScene has texts that are long, wide or harmful.
func awkwardScene() scene {
	longURL := "https://example.com/" + strings.Repeat("a", 280)
	cause := strings.Repeat("something with a cause, ", 10)
	return scene{
		backends: []map[string]any{
			with(aBackend("s3", "eu-west-1"), map[string]any{"health": "storage-down", "cause": cause}),
			with(aBackend(strings.Repeat("s", 40), "a-region-with-a-long-name-in-north-east-europe"), map[string]any{"health": "storage-down", "cause": strings.Repeat("x", 240)}),
			with(aBackend("s3", "東京のリージョン"), map[string]any{"health": "queue-unreachable", "cause": strings.Repeat("接続が拒否されました ", 20)}),
			with(aBackend("s3", "\x1b[2J"), map[string]any{"health": "\x1b]0;title\a", "cause": "Get \"" + longURL + "\": dial tcp: lookup example.com: no such host"}),
			with(aBackend("s3", "z"), map[string]any{"health": "something that a newer release has a word for"}),
		},
		processes: []map[string]any{
			aProcess("copier\n", strings.Repeat("n", 300), []string{"s3/\u202e"}, isDown("cache", cause), isDown("x\r", "\x00")),
		},
		presence: "ok", ready: "ready\ncache: " + strings.Repeat("東", 80) + "\n",
	}
}

func TestStatusOfTheDeployment(t *testing.T) {
	directory, err := filepath.Abs("testdata/status")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range scenes() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			address := s.serve(t)
			if name != "no token" {
				w.environ = []string{"CLOUDMIRROR_TOKEN=" + fakeToken}
			}
			got := w.run(t.Context(), "status", "--server", address)
			if got.status != exitOK || got.stderr != "" {
				t.Errorf("%+v", got)
			}
			checkFits(t, got.stdout)
			checkStatusFile(t, filepath.Join(directory, strings.ReplaceAll(name, " ", "-")+".txt"), strings.ReplaceAll(got.stdout, address, "http://127.0.0.1:8080"))
		})
	}
}

// checkFits checks that lines fit a terminal, but those that hold a URL and nothing
// more, and that none has a control character.
func checkFits(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		isURL := strings.Contains(line, "://") && len(strings.Fields(line)) == 1
		if columns(line) > outputColumns && !isURL {
			t.Errorf("%d columns: %s", columns(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x202e }) {
			t.Errorf("a control character is in %q", line)
		}
	}
}

// checkStatusFile compares a text with a file. A file that is missing is written, to be
// looked at.
func checkStatusFile(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s was missing, and is written: look at it", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestStatusOfTheDeploymentAsJSON(t *testing.T) {
	w := newWorld(t)
	s := scene{backends: []map[string]any{aBackend("s3", "eu-west-1")}, presence: "ok", ready: allReady}
	address := s.serve(t)
	got := w.run(t.Context(), "status", "--json", "--server", address)
	var answer struct {
		Backends []map[string]any
		Presence string
	}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("%+v: %v", got, err)
	}
	if answer.Presence != "ok" || len(answer.Backends) != 1 || answer.Backends[0]["provider"] != "s3" || answer.Backends[0]["requests"] == nil {
		t.Errorf("it is not what the server said: %s", got.stdout)
	}
}

func TestTheNextCommandsNameServerAndConfiguration(t *testing.T) {
	w := newWorld(t)
	s := scene{
		backends: []map[string]any{
			with(aBackend("s3", "eu-west-1"), map[string]any{"health": "no-copier", "queue": map[string]int{"dead_letters": 1}}),
		},
		presence: "ok", ready: allReady,
	}
	address := s.serve(t)
	write(t, "my mirror.yaml", severalYAML)
	got := w.run(t.Context(), "status", "--server", address, "--config", "my mirror.yaml")
	for _, want := range []string{
		"next: cloudmirror doctor --config 'my mirror.yaml'\n",
		"next: cloudmirror dlq ls --server " + address + " --config 'my mirror.yaml' --service s3 --region eu-west-1\n",
	} {
		if joined := strings.ReplaceAll(got.stdout, " \\\n              ", " "); !strings.Contains(joined, want) {
			t.Errorf("%q is not in\n%s", want, joined)
		}
	}
}

func TestStatusOfADeploymentThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	tests := map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"no cloudmirror":        {[]string{"--server", server.URL}, exitFailed, "not in the form of cloudmirror (HTTP 404)"},
		"a region, and no URL":  {[]string{"--region", "eu-west-1"}, exitUsage, "--service and --region need a URL"},
		"watching a URL":        {[]string{"--watch", "https://example.com/"}, exitUsage, "given as --watch=5s"},
		"watching without rest": {[]string{"--watch=1ms"}, exitUsage, "--watch: 1ms must be 100ms to 1h"},
		"watching for ever":     {[]string{"--watch=-1s"}, exitUsage, "--watch: -1s must be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := w.run(t.Context(), append([]string{"status"}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.stderr, test.stderr) || got.stdout != "" {
				t.Errorf("%+v", got)
			}
		})
	}
	for name, answer := range map[string]string{"no object": `[]`, "no backends": `{}`, "backends of other types": `{"backends":[{"copiers":"two"}]}`} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
			defer server.Close()
			got := w.run(t.Context(), "status", "--server", server.URL)
			if got.status != exitFailed || !strings.Contains(got.stderr, "is it a cloudmirror?") {
				t.Errorf("%+v", got)
			}
		})
	}
}
