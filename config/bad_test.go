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

func TestBadSyntax(t *testing.T) {
	refused(t, map[string]badFile{
		"no YAML": {
			`listen: [`,
			`1: not valid YAML: did not find expected node content`,
		},
		"tabs": {
			"log:\n\tlevel: info\n",
			`2: not valid YAML: found character that cannot start any token`,
		},
		"an unquoted secret with an asterisk": {
			"listen: :80\nadmin_tokens: [*hunter2hunter2hunter2]\n",
			`2: not valid YAML: an alias (*) names an anchor that does not exist`,
		},
		"two documents": {
			"listen: :80\n---\nlisten: :81\n",
			`2: the file must hold one YAML document`,
		},
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
		"an unknown key with a line break": {
			minimal + "\"a\\nb\": 1\n",
			`7: "a\nb": is not a key; known here are listen, admin_listen, public_url, data_dir, admin_tokens, admin_tokens_file, shutdown_delay, trusted_proxies, log, cache, queue, copier, origin, limits, health, services`,
		},
		"a key set twice": {
			minimal + "listen: :1\nlisten: :2\n",
			`8: listen: is set twice, first in line 7`,
		},
		"a service set twice": {
			minimal + "  s3: {}\n",
			`7: services.s3: is set twice, first in line 2`,
		},
		"a key that is a list": {
			minimal + "? [a]\n: b\n",
			`7: every key must be a word`,
		},
		"a mapping merged into itself": {
			"&a {<<: *a}\n",
			`1: << merges a mapping into itself`,
		},
		"a merge of something else": {
			minimal + "log: {<<: info}\n",
			`7: log: << must be followed by a mapping, or a list of mappings`,
		},
	})
}

func TestBadTypes(t *testing.T) {
	refused(t, map[string]badFile{
		"a value in place of a section": {
			minimal + "cache: redis\n",
			`7: cache: must be a mapping with the keys type, redis`,
		},
		"a list in place of a value": {
			minimal + "listen: [a]\n",
			`7: listen: must be a single value`,
		},
		"a value in place of a list": {
			minimal + "admin_tokens: hunter2hunter2hunter2\n",
			`7: admin_tokens: must be a list; [] is the empty one`,
		},
		"a list in place of services": {
			"services: [s3]\n",
			`1: services: must be a mapping of names`,
		},
		"no value": {
			minimal + "data_dir:\n",
			`7: data_dir: has no value; leave the key out for its default`,
		},
		"no list": {
			service(`ports:`),
			`5: services.s3.ports: must be a list; [] is the empty one`,
		},
		"a number in place of text": {
			minimal + "data_dir: 7\n",
			`7: data_dir: "7" must be text: write it in quotes`,
		},
		"a truth value in place of text": {
			minimal + "data_dir: true\n",
			`7: data_dir: "true" must be text: write it in quotes`,
		},
		"text in place of a number": {
			minimal + "copier: {concurrency: \"16\"}\n",
			`7: copier.concurrency: "16" must be written without quotes`,
		},
		"a fraction": {
			minimal + "copier: {concurrency: 1.5}\n",
			`7: copier.concurrency: "1.5" must be a whole number from 1 to 1000`,
		},
		"yes": {
			minimal + "queue: {sqs: {create: yes}}\n",
			`7: queue.sqs.create: "yes" must be true or false`,
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
