package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// How a front end is told to find out that clients cannot reach a region, and
// how long that may take: so many probes in a row that fail, each after an
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
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir: '%s'\nadmin_tokens: ['%s']\n", d.path("data"), adminToken)
	fmt.Fprintf(&b, "cache: {type: redis, redis: {url: 'redis://%s/0'}}\n", redisAddress)
	fmt.Fprintf(&b, "queue: {type: sqs, sqs: {endpoint: 'http://%s', prefix: 'faults-', visibility: %s}}\n", sqsAddress, visibility)
	// One connection for each copy: so the origin's requests count copies.
	fmt.Fprintf(&b, "copier: {concurrency: 8, connections: 1, part_size: 5MiB, memory: 128MiB, grace: 10s}\n")
	fmt.Fprintf(&b, "services:\n  %s:\n", service)
	fmt.Fprintf(&b, "    allow: ['^http://']\n") // open: anyone may name any host
	fmt.Fprintf(&b, "    allow_addresses: ['127.0.0.0/8']\n    ports: []\n    wait: %ds\n    negative_ttl: 5s\n    backends:\n", waitSeconds)
	for _, region := range regions {
		s := d.storages[region]
		fmt.Fprintf(&b, "      %s:\n        storage: {type: s3, bucket: %s, region: %s, endpoint: 'http://%s', path_style: true, public_url: 'http://%s/%s'}\n",
			region, s.bucket, region, d.addresses[s3Prefix+region], d.addresses[publicPrefix+region], s.bucket)
	}
	return b.String()
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
