package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/config"
)

// A badFile is a file with mistakes, and the lines of its error without the
// "cloudmirror.yaml:" that each begins with.
type badFile struct{ file, want string }

func refused(t *testing.T, files map[string]badFile) {
	t.Helper()
	for name, bad := range files {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(write(t, bad.file), nil, config.Overrides{})
			if err == nil {
				t.Fatal("no error")
			}
			want := "cloudmirror.yaml:" + strings.ReplaceAll(bad.want, "\n", "\ncloudmirror.yaml:")
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadKeys(t *testing.T) {
	refused(t, map[string]badFile{
		"an empty file": {
			"",
			`1: services: must name at least one service`,
		},
		"comments only": {
			"# nothing\n",
			`1: services: must name at least one service`,
		},
		"a list at the top": {
			"[]\n",
			`1: must be a mapping with the keys listen, admin_listen, public_url, data_dir, admin_tokens, admin_tokens_file, shutdown_delay, trusted_proxies, log, cache, queue, copier, origin, limits, health, services`,
		},
		"an unknown key that is nearly a known one": {
			minimal + "listn: :80\n",
			`7: listn: is not a key; did you mean listen?`,
		},
		"an unknown key like no other": {
			minimal + "verbosity: 9\n",
			`7: verbosity: is not a key; known here are listen, admin_listen, public_url, data_dir, admin_tokens, admin_tokens_file, shutdown_delay, trusted_proxies, log, cache, queue, copier, origin, limits, health, services`,
		},
		"an unknown key of a section": {
			minimal + "cache: {redis: {uri: x}}\n",
			`7: cache.redis.uri: is not a key; did you mean url?`,
		},
	})
}

func TestBadRelations(t *testing.T) {
	refused(t, map[string]badFile{
		"one address for two listeners": {
			minimal + "listen: :1\nadmin_listen: :1\n",
			`8: admin_listen: ":1" must differ from listen`,
		},
		"less memory than a part": {
			minimal + "copier:\n  part_size: 512MiB\n",
			`7: copier.memory: "192MiB" must be at least copier.part_size, which is 512MiB`,
		},
		"a probe that takes longer than the time between two": {
			minimal + "health: {interval: 1s, timeout: 2s}\n",
			`7: health.timeout: "2s" must be at most health.interval, which is 1s`,
		},
		"copier backends that are unknown or listed twice": {
			minimal + "copier: {backends: [s3/us-east-1, s3/us-east-1, s3/nowhere]}\n",
			`7: copier.backends[1]: "s3/us-east-1" is listed twice` + "\n" +
				`7: copier.backends[2]: "s3/nowhere" must be a backend of services: s3/us-east-1`,
		},
		"the name of a queue too long": {
			minimal + "queue: {type: sqs, sqs: {prefix: pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp}}\n",
			`5: services.s3.backends.us-east-1: "pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppps3-us-east-1-dead" must be at most 80 characters long: it is the name of the dead-letter queue, of queue.sqs.prefix, service and region`,
		},
		"a tokens file that is not there": {
			minimal + "admin_tokens_file: nowhere\n",
			`7: admin_tokens_file: cannot be read: open nowhere: no such file or directory`,
		},
	})
}
