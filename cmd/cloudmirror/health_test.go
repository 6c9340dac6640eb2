package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudmirror/config"
)

func TestHealthTellsByItsExitStatus(t *testing.T) {
	w := newWorld(t)
	status := http.StatusOK
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte("as it is\ncache: ok\n"))
	}))
	defer server.Close()
	w.environ = []string{"CLOUDMIRROR_ADMIN_LISTEN=" + strings.TrimPrefix(server.URL, "http://")}

	if got, want := w.run(t.Context(), "health"), (result{stdout: "as it is\ncache: ok\n"}); got != want {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	if asked != "/readyz" {
		t.Errorf("it asked for %s", asked)
	}
	for _, status = range []int{http.StatusServiceUnavailable, http.StatusFound, http.StatusNoContent} {
		got := w.run(t.Context(), "health")
		if got.status != exitFailed || !strings.Contains(got.stderr, "not ready: ") {
			t.Errorf("%d: %+v", status, got)
		}
	}
	status = http.StatusOK
	w.environ = nil
	if got := w.run(t.Context(), "health", "--url", server.URL+"/healthz"); got.status != exitOK || asked != "/healthz" {
		t.Errorf("%+v, having asked for %s", got, asked)
	}
	server.Close()
	if got := w.run(t.Context(), "health", "--url", server.URL); got.status != exitFailed || got.stdout != "" {
		t.Errorf("nobody listens: %+v", got)
	}
	if got := w.run(t.Context(), "health", "--config", "nowhere.yaml"); got.status != exitUsage {
		t.Errorf("no configuration: %+v", got)
	}
}

func TestHealthAsksTheAdminListenerOnThisMachine(t *testing.T) {
	tests := map[string]struct{ listen, admin, want string }{
		"the admin listener":         {"10.0.0.1:8080", "10.0.0.1:9090", "http://10.0.0.1:9090/readyz"},
		"no admin listener":          {"127.0.0.1:8080", "", "http://127.0.0.1:8080/readyz"},
		"every address":              {"", ":9090", "http://127.0.0.1:9090/readyz"},
		"every address of IPv4":      {"", "0.0.0.0:9090", "http://127.0.0.1:9090/readyz"},
		"every address, in IPv6":     {"", "[::]:9090", "http://[::1]:9090/readyz"},
		"an IPv6 address of its own": {"", "[fd00::1]:9090", "http://[fd00::1]:9090/readyz"},
		"a name":                     {"", "localhost:9090", "http://localhost:9090/readyz"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := readyURL(&config.Config{Listen: test.listen, AdminListen: test.admin}); got != test.want {
				t.Errorf("%s is not %s", got, test.want)
			}
		})
	}
}
