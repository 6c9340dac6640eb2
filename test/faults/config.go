package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"cloudmirror/test/lab"
)

// How a front end is told to find out that clients cannot reach a region, and
// how long that may take: 2 probes in a row that fail, each after an
// interval and with a time limit, and a second for the machine.
const (
	healthConfig = "health: {interval: 1s, timeout: 1s, failures: 2}\n"
	healthWindow = 5 * time.Second
)

// configure writes the configurations of the roles, which differ in their links.
func (d *deployment) configure(ctx context.Context) error {
	health, err := d.health(ctx)
	if err != nil {
		return err
	}
	for kind, links := range map[string][2]string{
		"frontend": {redisFrontends, sqsFrontends}, "copier": {redisCopiers, sqsCopiers},
	} {
		text := d.configText(d.addresses[links[0]], d.addresses[links[1]])
		if _, err := d.write(kind+".yaml", text+health); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) configText(redisAddress, sqsAddress string) string {
	return d.configFor([]string{
		"data_dir: '" + d.path("data") + "'",
		"admin_tokens: ['" + adminToken + "']",
		lab.RedisCache(redisAddress),
		lab.SQSQueue("http://"+sqsAddress, "prefix: 'faults-'", "visibility: "+visibility),
		// One connection for each copy: so the origin's requests count copies.
		"copier: {concurrency: 8, connections: 1, part_size: 5MiB, memory: 128MiB, grace: 10s}",
	}, "^http://", func(region string) string { // open: anyone may name any host
		inner := lab.S3{Region: region, Endpoint: "http://" + d.addresses[s3Prefix+region]}
		bucket := d.storages[region].bucket
		return inner.Storage(bucket, fmt.Sprintf("public_url: 'http://%s/%s'", d.addresses[publicPrefix+region], bucket))
	})
}

// configFor returns a configuration with the service of all deployments, and a
// storage for each region.
func (d *deployment) configFor(lines []string, allow string, storage func(region string) string) string {
	s := lab.Service{Name: service, Allow: allow, Lines: []string{fmt.Sprintf("wait: %ds", waitSeconds), "negative_ttl: 5s"}}
	for _, region := range regions {
		s.Backends = append(s.Backends, [2]string{region, storage(region)})
	}
	return lab.Config{Lines: lines, Services: []lab.Service{s}}.String()
}

// health returns what is added to the configuration, if the binary knows it, and
// sets the window. A binary without a monitor of regions is run as it is: the
// scenarios that need one show it.
func (d *deployment) health(ctx context.Context) (string, error) {
	config, err := d.write("health.yaml", d.configText("127.0.0.1:1", "127.0.0.1:1")+healthConfig)
	if err != nil {
		return "", err
	}
	output, err := exec.CommandContext(ctx, d.path("cloudmirror"), "config", "check", "--config", config).CombinedOutput()
	if err != nil {
		logf("no monitor of regions: config check says: %s", brief(string(output)))
		return "", ctx.Err()
	}
	d.window = healthWindow
	return healthConfig, nil
}
