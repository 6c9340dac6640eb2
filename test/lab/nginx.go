package lab

import (
	"fmt"
	"strings"
)

// FindNginx returns the path of nginx.
func FindNginx() (string, error) { return Find("nginx", "apt-get install nginx-light") }

// NginxArguments returns the arguments of nginx with a configuration file, and with
// dir for its own files.
func NginxArguments(dir, config string) []string {
	return []string{"-p", dir, "-e", "stderr", "-c", config}
}

// NginxConfig returns a configuration by which nginx runs in the foreground, as one
// process, with its files in dir. The text http stands in the http block; DIR in it
// is dir.
func NginxConfig(dir string, connections int, http string) string {
	text := fmt.Sprintf(`daemon off;
master_process off;
pid DIR/pid;
events { worker_connections %d; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    %s
}
`, connections, strings.TrimSpace(http))
	return strings.ReplaceAll(text, "DIR", dir)
}
