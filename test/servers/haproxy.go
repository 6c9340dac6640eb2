package servers

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudmirror/test/lab"
)

// StartHAProxy starts HAProxy with the delivered configuration, without TLS, in front
// of two front ends. It returns its base URL.
func StartHAProxy(t testing.TB, upstreams [2]string) string {
	t.Helper()
	program, missing := lab.Find("haproxy", "apt-get install haproxy")
	root, err := lab.Root()
	if err := errors.Join(missing, err); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "deploy", "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", FreePort(t))
	text := string(data)
	for old, place := range map[string]string{
		"    bind :443 ssl crt /etc/haproxy/cloudmirror.pem alpn h2,http/1.1\n": "",
		"bind :80": "bind " + address, "10.0.0.11:8080": upstreams[0], "10.0.0.12:8080": upstreams[1],
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("deploy/haproxy.cfg has no %q", old)
		}
		text = strings.Replace(text, old, place, 1)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	Start(t, lab.Accepts(address), nil, program, "-db", "-f", file)
	return "http://" + address
}
