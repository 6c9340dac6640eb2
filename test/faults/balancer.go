package main

import (
	"context"
	"fmt"
	"strings"

	"cloudmirror/test/lab"
)

// startBalancer starts an nginx that asks the next front end when a connection is
// refused or breaks, as deploy/nginx.conf does.
func (d *deployment) startBalancer(ctx context.Context) error {
	path, err := lab.FindNginx()
	if err != nil {
		return err
	}
	address, err := lab.FreeAddress()
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
	text := strings.NewReplacer("ADDRESS", address, "UPSTREAMS", upstreams.String()).Replace(balancing)
	config, err := d.write("nginx.conf", lab.NginxConfig(dir, 4096, text))
	if err != nil {
		return err
	}
	p, err := d.start(ctx, "nginx", lab.Command{Program: path, Args: lab.NginxArguments(dir, config), Ready: lab.Accepts(address)})
	if err != nil {
		return err
	}
	d.own(p.Kill)
	d.balancer = "http://" + address
	return nil
}

const balancing = `
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
`
