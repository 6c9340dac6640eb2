package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

const (
	composeFile = "deploy/compose.yaml"
	configFile  = "deploy/compose/cloudmirror.yaml"
	adminToken  = "only-for-trying-things-out" // stands in configFile
	service     = "s3"
)

// serving are the services with health checks. One that ends by itself has none.
var serving = []string{
	"frontend-1", "frontend-2", "copier-us-east-1", "copier-eu-west-1",
	"redis", "sqs", "storage-us-east-1", "storage-eu-west-1", "balancer",
}

var regions = []string{"us-east-1", "eu-west-1"}

// A deployment is what deploy/compose.yaml brings up, under a name of its own.
type deployment struct {
	*engine
	project string
	dir     string
	images  *images
	ports   map[string]string // by variable of compose.yaml, and that of the origin
	plain   *http.Client      // of the harness itself
	client  *client

	proof *proof // that is being played, or nil
}

func newDeployment(e *engine, dir, project string) (*deployment, error) {
	d := &deployment{
		engine: e, project: project, dir: dir, images: &images{}, ports: make(map[string]string),
		plain: &http.Client{Timeout: 10 * time.Second},
	}
	for _, name := range []string{"BALANCER_PORT", "BALANCER_STATS_PORT", "US_EAST_1_PORT", "EU_WEST_1_PORT", "ORIGIN_PORT"} {
		port, err := lab.FreePort()
		if err != nil {
			return nil, err
		}
		d.ports[name] = port
	}
	d.client = newClient(d)
	return d, nil
}

// up writes the configuration and starts everything.
func (d *deployment) up(ctx context.Context) error {
	if err := d.configure(); err != nil {
		return err
	}
	override := fmt.Sprintf(`# Beside deploy/compose.yaml: an origin, and a way to each front end.
x-role: &role {environment: {CLOUDMIRROR_QUEUE_SQS_VISIBILITY: 10s}}
services:
  provision: *role
  copier-us-east-1: *role
  copier-eu-west-1: *role
  frontend-1: {<<: *role, ports: ["127.0.0.1::8080"]}
  frontend-2: {<<: *role, ports: ["127.0.0.1::8080"]}
  origin:
    image: %s
    command: [standin, origin, "%[2]s"]
    ports: ["127.0.0.1:%[2]s:%[2]s"]
    networks: {default: {aliases: [origin.localhost]}}
`, d.images.origin, d.ports["ORIGIN_PORT"])
	if err := os.WriteFile(filepath.Join(d.dir, "override.yaml"), []byte(override), 0o600); err != nil {
		return err
	}
	if _, err := d.run(ctx, "up", "-d"); err != nil {
		d.showLogs(ctx)
		return err
	}
	return d.awaitServing(ctx)
}

// configure makes the configuration of the test: that of deploy/, with the
// test's ports, and with its origin in place of every public one.
func (d *deployment) configure() error {
	text, err := os.ReadFile(configFile)
	if err != nil {
		return err
	}
	changed := string(text)
	for _, change := range [][2]string{
		{`127.0.0.1:8080`, "127.0.0.1:" + d.ports["BALANCER_PORT"]},
		{`:9001`, ":" + d.ports["US_EAST_1_PORT"]},
		{`:9002`, ":" + d.ports["EU_WEST_1_PORT"]},
		{"    allow: ['^https://']", fmt.Sprintf("    wait: 5s\n    ports: []\n    allow_addresses: [172.16.0.0/12, 192.168.0.0/16, 10.0.0.0/8]\n    allow: ['^http://origin\\.localhost:%s/']", d.ports["ORIGIN_PORT"])},
	} {
		if !strings.Contains(changed, change[0]) {
			return fmt.Errorf("%s has no %q", configFile, change[0])
		}
		changed = strings.ReplaceAll(changed, change[0], change[1])
	}
	return os.WriteFile(d.configPath(), []byte(changed), 0o644) //nolint:gosec // the user of the container reads it
}

func (d *deployment) configPath() string { return filepath.Join(d.dir, "cloudmirror.yaml") }

// run runs a command of docker-compose.
func (d *deployment) run(ctx context.Context, args ...string) (string, error) {
	environ := append([]string{"CLOUDMIRROR_CONFIG=" + d.configPath()}, d.images.variables...)
	for name, port := range d.ports {
		environ = append(environ, name+"="+port)
	}
	command := append([]string{}, d.compose...)
	command = append(command, "-p", d.project, "-f", composeFile, "-f", filepath.Join(d.dir, "override.yaml"))
	return output(ctx, environ, append(command, args...)...)
}

// container returns the id of a service's container, whether it runs or not.
func (d *deployment) container(ctx context.Context, name string) (string, error) {
	ids, err := d.docker(ctx, "ps", "-a", "-q", "--no-trunc", "--filter", "label=com.docker.compose.project="+d.project,
		"--filter", "label=com.docker.compose.service="+name)
	if err == nil && len(strings.Fields(ids)) != 1 {
		err = fmt.Errorf("%s has the containers %q, not one", name, ids)
	}
	return ids, err
}

// do runs a command of docker on the container of each service.
func (d *deployment) do(ctx context.Context, command string, services ...string) error {
	for _, name := range services {
		id, err := d.container(ctx, name)
		if err != nil {
			return err
		}
		if _, err := d.docker(ctx, command, id); err != nil {
			return err
		}
	}
	return nil
}

// cutOff takes containers off the network.
func (d *deployment) cutOff(ctx context.Context, services ...string) error {
	for _, name := range services {
		id, err := d.container(ctx, name)
		if err != nil {
			return err
		}
		if _, err := d.docker(ctx, "network", "disconnect", d.project+"_default", id); err != nil {
			return err
		}
	}
	return nil
}

// rejoin is the end of cutOff.
func (d *deployment) rejoin(ctx context.Context, services ...string) error {
	for _, name := range services {
		id, err := d.container(ctx, name)
		if err != nil {
			return err
		}
		if _, err := d.docker(ctx, "network", "connect", "--alias", name, d.project+"_default", id); err != nil {
			return err
		}
	}
	return nil
}

// frontURL returns where a front end answers without the balancer.
func (d *deployment) frontURL(ctx context.Context, name string) (string, error) {
	id, err := d.container(ctx, name)
	if err != nil {
		return "", err
	}
	address, err := d.docker(ctx, "port", id, "8080/tcp")
	first, _, _ := strings.Cut(address, "\n")
	return "http://" + first, err
}

func (d *deployment) balancerURL() string { return "http://127.0.0.1:" + d.ports["BALANCER_PORT"] }

// awaitServing waits until all containers are healthy, and the balancer says so
// of both front ends.
func (d *deployment) awaitServing(ctx context.Context) error {
	return await(ctx, 90*time.Second, func() error {
		for _, name := range serving {
			id, err := d.container(ctx, name)
			if err != nil {
				return err
			}
			health, err := d.docker(ctx, "inspect", "-f", "{{.State.Health.Status}}", id)
			if err == nil && health != "healthy" {
				err = fmt.Errorf("%s is %s", name, health)
			}
			if err != nil {
				return err
			}
		}
		return d.balanced(ctx, "frontend-1", "frontend-2")
	})
}

// balanced returns nil if the balancer sends requests to these front ends and no
// others.
func (d *deployment) balanced(ctx context.Context, want ...string) error {
	text, err := d.get(ctx, "http://127.0.0.1:"+d.ports["BALANCER_STATS_PORT"]+"/;csv")
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# "))).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Errorf("the balancer's table: %w", err)
	}
	column := make(map[string]int)
	for i, name := range rows[0] {
		column[name] = i
	}
	var up []string
	for _, row := range rows[1:] {
		if name := row[column["svname"]]; row[column["pxname"]] == "frontends" && name != "BACKEND" && row[column["status"]] == "UP" {
			up = append(up, name)
		}
	}
	if got := strings.Join(up, ", "); got != strings.Join(want, ", ") {
		return fmt.Errorf("the balancer asks %q", got)
	}
	return nil
}

// get returns the body of an answer with 200.
func (d *deployment) get(ctx context.Context, url string) (string, error) {
	return lab.Get(ctx, d.plain, url)
}

// await asks until there is no error, or until the time is over.
func await(ctx context.Context, limit time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := lab.Await(ctx, 100*time.Millisecond, ask)
	if err != nil {
		err = fmt.Errorf("after %v: %w", limit, err)
	}
	return err
}
