package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config"
)

func TestAPrintedConfigurationLoadsAsTheSame(t *testing.T) {
	files := map[string]string{
		"the least":        minimal,
		"several machines": shared,
		"the example":      config.Example(),
		"values that YAML could take for others": `listen: "[::]:80"
public_url: http://a
data_dir: "true"
queue: {type: sqs, sqs: {prefix: "0123", visibility: 1h1s}}
cache: {redis: {prefix: "#a:[b]:"}}
copier: {part_size: 5242881, grace: 1500ms, backends: [123/456]}
services:
  "123":
    allow: ['^https://[^/]+/a: "b" #c\.']
    allow_addresses: ["::/0", 0.0.0.0/0]
    ports: []
    backends:
      "456":
        storage: {type: s3, bucket: "1e5", prefix: "~"}
`,
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			first := printed(t, load(t, file))
			if diff := cmp.Diff(first, printed(t, load(t, first))); diff != "" {
				t.Errorf("loaded again (-first +second):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c := load(t, `admin_tokens: [hunter2hunter2hunter2, "sha256:3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843"]
cache: {redis: {url: "redis+sentinel://user:hunter2@h:1/0?master_name=m&password=hunter2"}}
origin: {proxy: "https://user:hunter2@proxy.test:3128/"}
`+strings.Replace(minimal, "    allow:", "    headers: {x-api-key: hunter2, Authorization: Bearer hunter2}\n    allow:", 1))
	text := printed(t, c)
	if strings.Contains(text, "hunter2") || strings.Contains(text, "3465f6") {
		t.Errorf("a secret in:\n%s", text)
	}
	for _, line := range []string{"admin_tokens: ['***', '***']", "url: redis+sentinel://user:***@h:1/0?master_name=m&password=***", "proxy: https://user:***@proxy.test:3128\n", "Authorization: '***'\n      X-Api-Key: '***'\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
	_, err := config.Load(write(t, text), nil, config.Overrides{})
	if err == nil || strings.Count(err.Error(), "***") < 6 {
		t.Errorf("*** was taken for tokens and passwords: %v", err)
	}
}

// TestTheExampleIsTheDefaults compares the printed example with the printed
// defaults, services aside, and its first service with a service of defaults.
func TestTheExampleIsTheDefaults(t *testing.T) {
	example, defaults := printed(t, load(t, config.Example())), printed(t, load(t, minimal))
	if diff := cmp.Diff(beforeBackends(defaults), beforeBackends(example)); diff != "" {
		t.Errorf("the example is not the defaults (-defaults +example):\n%s", diff)
	}
}

// beforeBackends cuts a configuration of one service where its backends begin.
func beforeBackends(text string) string {
	before, _, _ := strings.Cut(text, "    backends:\n")
	return before
}

func TestTheExampleHasEveryKey(t *testing.T) {
	key := regexp.MustCompile(`(?m)^ *[a-z_]+:`)
	inExample := make(map[string]bool)
	for _, k := range key.FindAllString(config.Example(), -1) {
		inExample[k] = true
	}
	for _, k := range key.FindAllString(printed(t, load(t, config.Example())), -1) {
		if !inExample[k] {
			t.Errorf("the example has no line %q", k)
		}
	}
}

// TestTheDefaultsAreTheContract holds the defaults that users rely on, as the
// documentation states them.
func TestTheDefaultsAreTheContract(t *testing.T) {
	want := `listen: 127.0.0.1:8080
admin_listen: ""
public_url: ""
data_dir: ./data
admin_tokens: []
admin_tokens_file: ""
shutdown_delay: 0s
trusted_proxies: []
log:
  level: info
  format: console
cache:
  type: memory
  redis:
    url: redis://127.0.0.1:6379/0
    prefix: 'cloudmirror:'
    near:
      memory: 64MiB
      delta: 500ms
queue:
  type: memory
  sqs:
    endpoint: ""
    region: us-east-1
    prefix: cloudmirror-
    visibility: 1m
    max_receives: 5
    create: true
copier:
  backends: []
  concurrency: 16
  connections: 8
  part_size: 16MiB
  memory: 192MiB
  grace: 30s
origin:
  proxy: ""
  max_redirects: 5
  user_agent: cloudmirror
  min_rate: 1KiB
  min_rate_over: 30s
  timeouts:
    connect: 10s
    tls: 10s
    first_byte: 30s
    idle: 30s
limits:
  waiters: 20000
  waiters_per_client: 0
  copies_per_host: 8
health:
  interval: 2s
  timeout: 2s
  failures: 2
services:
  s3:
    allow: ['^https://']
    direct: []
    allow_addresses: []
    ports: [80, 443]
    wait: 28s
    fallback: origin
    mode: wait
    cors: []
    ttl: 168h
    recheck: 10m
    negative_ttl: 30s
    max_object_size: 50GiB
    bandwidth: 0B
    headers: {}
    backends:
      us-east-1:
        storage:
          type: file
          provider: file
`
	if diff := cmp.Diff(want, printed(t, config.Default())); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// TestTheExamplesFormsOfRedisURLsAreAccepted reads every URL of a Redis in the
// example, comments included, as it is and for TLS.
func TestTheExamplesFormsOfRedisURLsAreAccepted(t *testing.T) {
	forms := regexp.MustCompile(`(redis|unix)[a-z+]*://[^\s,]*[^\s,./]`).FindAllString(config.Example(), -1)
	if len(forms) != 5 {
		t.Fatalf("the example shows %d forms: %q", len(forms), forms)
	}
	for _, form := range forms {
		load(t, "cache: {redis: {url: '"+form+"'}}\n"+minimal)
		load(t, "cache: {redis: {url: '"+strings.Replace(form, "redis", "rediss", strings.Count(form[:5], "redis"))+"'}}\n"+minimal)
	}
}
