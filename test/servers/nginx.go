package servers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// NginxArguments writes a configuration into dir and returns the arguments with
// which nginx runs by it: in the foreground, as one process, with its files in dir.
// The text http stands in the http block; DIR in it is dir.
func NginxArguments(t testing.TB, dir, http string) []string {
	t.Helper()
	file := filepath.Join(dir, "nginx.conf")
	text := strings.Replace(`daemon off;
master_process off; # one process, which ends with the test
pid DIR/pid;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    HTTP
}
`, "HTTP", http, 1)
	text = strings.ReplaceAll(text, "DIR", dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-p", dir, "-e", "stderr", "-c", file}
}
