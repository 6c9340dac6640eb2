package main

import (
	"context"
	"fmt"
	"strings"
)

// startBalancer starts an nginx that asks the next front end when a connection is
// refused or breaks, as deploy/nginx.conf does.
func (d *deployment) startBalancer(ctx context.Context) error {
	path, err := find("nginx")
	if err != nil {
		return err
	}
	address, err := d.freeAddress()
	if err != nil {
		return err
	}
	var upstreams strings.Builder
	for _, f := range d.frontends {
		fmt.Fprintf(&upstreams, "        server %s max_fails=0;\n", f.listen)
	}
	dir, err := d.mkdir("nginx")
	if err != nil {
		return err
	}
	text := strings.NewReplacer("ADDRESS", address, "UPSTREAMS", upstreams.String(), "DIR", dir).Replace(nginxConfig)
	config, err := d.write("nginx.conf", text)
	if err != nil {
		return err
	}
	p, err := d.start(ctx, program{name: "nginx", path: path, args: []string{"-p", dir, "-c", config, "-e", d.path("nginx.errors")}, ready: accepts(address)})
	if err != nil {
		return err
	}
	d.own(func() { _ = p.terminate() }) // it ends its workers, which SIGKILL would not
	d.balancer = "http://" + address
	return nil
}

const nginxConfig = `daemon off;
pid DIR/pid;
worker_processes 1;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    upstream up {
UPSTREAMS        keepalive 64;
    }
    server {
        listen ADDRESS;
        merge_slashes off;
        large_client_header_buffers 4 32k;
        location / {
            proxy_pass http://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
            proxy_read_timeout 60s;
            proxy_next_upstream error timeout non_idempotent;
        }
    }
}
`
