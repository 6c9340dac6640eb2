package config_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config"
)

// environment has a value for every variable, none of them the default.
func environment() map[string]string {
	return map[string]string{
		"CLOUDMIRROR_ADMIN_LISTEN":               "10.0.0.1:9100",
		"CLOUDMIRROR_ADMIN_TOKENS_FILE":          "/dev/null",
		"CLOUDMIRROR_CACHE_REDIS_NEAR_DELTA":     "1s",
		"CLOUDMIRROR_CACHE_REDIS_NEAR_MEMORY":    "2MiB",
		"CLOUDMIRROR_CACHE_REDIS_PREFIX":         "m:",
		"CLOUDMIRROR_CACHE_REDIS_URL":            "redis://redis.example.com:6379/7",
		"CLOUDMIRROR_CACHE_TYPE":                 "redis",
		"CLOUDMIRROR_COPIER_CONCURRENCY":         "3",
		"CLOUDMIRROR_COPIER_CONNECTIONS":         "4",
		"CLOUDMIRROR_COPIER_GRACE":               "1s",
		"CLOUDMIRROR_COPIER_MEMORY":              "64MiB",
		"CLOUDMIRROR_COPIER_PART_SIZE":           "6MiB",
		"CLOUDMIRROR_DATA_DIR":                   "/data",
		"CLOUDMIRROR_HEALTH_FAILURES":            "7",
		"CLOUDMIRROR_HEALTH_INTERVAL":            "1m",
		"CLOUDMIRROR_HEALTH_TIMEOUT":             "500ms",
		"CLOUDMIRROR_LIMITS_COPIES_PER_HOST":     "3",
		"CLOUDMIRROR_LIMITS_WAITERS":             "7",
		"CLOUDMIRROR_LIMITS_WAITERS_PER_CLIENT":  "9",
		"CLOUDMIRROR_LISTEN":                     "10.0.0.1:80",
		"CLOUDMIRROR_LOG_FORMAT":                 "console",
		"CLOUDMIRROR_LOG_LEVEL":                  "debug",
		"CLOUDMIRROR_ORIGIN_MAX_REDIRECTS":       "7",
		"CLOUDMIRROR_ORIGIN_MIN_RATE":            "2KiB",
		"CLOUDMIRROR_ORIGIN_MIN_RATE_OVER":       "1m",
		"CLOUDMIRROR_ORIGIN_PROXY":               "socks5://proxy.example.com:1080",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_CONNECT":    "11s",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_FIRST_BYTE": "25s",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_IDLE":       "26s",
		"CLOUDMIRROR_ORIGIN_TIMEOUTS_TLS":        "12s",
		"CLOUDMIRROR_ORIGIN_USER_AGENT":          "mirror/1 (ops@example.com)",
		"CLOUDMIRROR_PUBLIC_URL":                 "https://mirror.example.com",
		"CLOUDMIRROR_QUEUE_SQS_CREATE":           "false",
		"CLOUDMIRROR_QUEUE_SQS_ENDPOINT":         "http://127.0.0.1:5000",
		"CLOUDMIRROR_QUEUE_SQS_MAX_RECEIVES":     "6",
		"CLOUDMIRROR_QUEUE_SQS_PREFIX":           "m-",
		"CLOUDMIRROR_QUEUE_SQS_REGION":           "eu-west-1",
		"CLOUDMIRROR_QUEUE_SQS_VISIBILITY":       "2m",
		"CLOUDMIRROR_QUEUE_TYPE":                 "sqs",
		"CLOUDMIRROR_SHUTDOWN_DELAY":             "5s",
	}
}

func TestEveryScalarKeyOutsideOfServicesHasAVariable(t *testing.T) {
	names := slices.Sorted(maps.Keys(environment()))
	if diff := cmp.Diff(config.Variables(), names); diff != "" {
		t.Errorf("this test does not know these variables, or knows others (-all +test):\n%s", diff)
	}
	path := write(t, minimal)
	for name, value := range environment() {
		t.Run(name, func(t *testing.T) {
			before, err := config.Load(path, nil, config.Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			after, err := config.Load(path, []string{name + "=" + value}, config.Overrides{})
			if err != nil {
				t.Fatal(err)
			}
			changed := changedLines(printed(t, before), printed(t, after))
			if len(changed) != 1 || !strings.Contains(changed[0], value) {
				t.Errorf("%s=%s changes %q", name, value, changed)
			}
			if len(after.Warnings()) != 0 {
				t.Errorf("warnings %q", after.Warnings())
			}
		})
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	c := load(t, "listen: :1\n"+minimal, "CLOUDMIRROR_LISTEN=127.0.0.1:2", "LISTEN=:3")
	if c.Listen != "127.0.0.1:2" {
		t.Errorf("listen is %q", c.Listen)
	}
}

func TestBackendsOfTheCommandLineWinOverTheFile(t *testing.T) {
	path := write(t, `copier: {backends: ["s3/r"]}
services: {s3: {allow: ["^https://"], backends: {r: {storage: {type: file}}, q: {storage: {type: file}}}}}
`)
	for name, test := range map[string]struct {
		flags []string
		want  string
	}{
		"none": {nil, "[s3/r]"},
		"one":  {[]string{"s3/q"}, "[s3/q]"},
		"all":  {[]string{"s3/q", "s3/r"}, "[s3/q s3/r]"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Load(path, nil, config.Overrides{CopierBackends: test.flags})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.Copier.Backends); got != test.want {
				t.Errorf("%s is not %s", got, test.want)
			}
		})
	}
}

func TestAnEmptyVariableCountsAsNotSet(t *testing.T) {
	if c := load(t, "listen: :1\npublic_url: http://a\n"+minimal, "CLOUDMIRROR_LISTEN="); c.Listen != ":1" {
		t.Errorf("listen is %q", c.Listen)
	}
}

func TestVariablesThatSetNothingAreWarnings(t *testing.T) {
	c := load(t, minimal, "CLOUDMIRROR_SERVICES=x", "CLOUDMIRROR_ADMIN_TOKENS=hunter2", "CLOUDMIRROR_TOKEN=hunter2", "HOME=/")
	want := []string{
		"the environment variable CLOUDMIRROR_ADMIN_TOKENS sets no key",
		"the environment variable CLOUDMIRROR_SERVICES sets no key",
	}
	if diff := cmp.Diff(want, c.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestBadVariablesAndFlagsAreNamed(t *testing.T) {
	tests := map[string]struct {
		environ   []string
		overrides config.Overrides
		want      string
	}{
		"a variable": {
			environ: []string{"CLOUDMIRROR_CACHE_TYPE=Redis"},
			want:    `environment variable CLOUDMIRROR_CACHE_TYPE: cache.type: "Redis" must be memory or redis`,
		},
		"a secret variable": {
			environ: []string{"CLOUDMIRROR_CACHE_REDIS_URL=hunter2"},
			want:    `environment variable CLOUDMIRROR_CACHE_REDIS_URL: cache.redis.url: *** must be the URL of a Redis: it must begin with redis://, redis+cluster:// or redis+sentinel:// (or rediss for TLS), or with unix://`,
		},
		"variables that do not go together": {
			environ: []string{"CLOUDMIRROR_COPIER_MEMORY=8MiB"},
			want:    `environment variable CLOUDMIRROR_COPIER_MEMORY: copier.memory: "8MiB" must be at least copier.part_size, which is 16MiB`,
		},
		"a variable against the defaults": {
			environ: []string{"CLOUDMIRROR_COPIER_PART_SIZE=1GiB"},
			want:    `the defaults: copier.memory: "192MiB" must be at least copier.part_size, which is 1GiB`,
		},
		"flags": {
			overrides: config.Overrides{Listen: "80", DataDir: "a\x00", Allow: []string{"^ftp://"}, AllowAddresses: []string{"127.0.0.1"}, CopierBackends: []string{"s3"}},
			want: `--listen: "80" must be host:port, such as 127.0.0.1:8080 or :8080
--data-dir: "a\x00" must be a path without control characters
--allow: "^ftp://" must begin with ^https://, ^http:// or ^https?://
--allow-address: "127.0.0.1" must be a range of addresses: write 127.0.0.1/32
--backend: "s3" is not of the form service/region`,
		},
		"a flag that names no backend": {
			overrides: config.Overrides{CopierBackends: []string{"s3/nowhere-1"}},
			want:      `--backend: copier.backends[0]: "s3/nowhere-1" must be a backend of services: s3/us-east-1`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load("", test.environ, test.overrides)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// changedLines returns the lines of after that before does not have.
func changedLines(before, after string) []string {
	var changed []string
	old := strings.Split(before, "\n")
	for i, line := range strings.Split(after, "\n") {
		if i >= len(old) || old[i] != line {
			changed = append(changed, line)
		}
	}
	return changed
}
