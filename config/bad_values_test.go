package config_test

import (
	"strings"
	"testing"
)

func TestBadValues(t *testing.T) {
	refused(t, map[string]badFile{
		"a port in place of an address": {
			minimal + "listen: 8080\n",
			`7: listen: "8080" must be host:port, such as 127.0.0.1:8080 or :8080`,
		},
		"a port out of range": {
			minimal + "admin_listen: :65536\n",
			`7: admin_listen: ":65536" must be host:port, such as 127.0.0.1:8080 or :8080`,
		},
		"a listen address with a blank": {
			minimal + "listen: 'local host:80'\n",
			`7: listen: "local host:80" must be host:port, such as 127.0.0.1:8080 or :8080`,
		},
		"a value too long to be repeated": {
			minimal + "\nlog: {level: " + strings.Repeat("x", 81) + "}\n",
			"8: log.level: \"" + strings.Repeat("x", 80) + "\"… must be debug, info, warn or error",
		},
		"an empty listen address": {
			minimal + "listen: \"\"\n",
			`7: listen: "" must be host:port, such as 127.0.0.1:8080 or :8080`,
		},
		"an empty data directory": {
			minimal + "data_dir: \"\"\n",
			`7: data_dir: "" must be a path without control characters`,
		},
		"a public URL without scheme": {
			minimal + "public_url: mirror.example.com\n",
			`7: public_url: "mirror.example.com" must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment`,
		},
		"a public URL with a query": {
			minimal + "public_url: https://mirror.example.com/?a=b\n",
			`7: public_url: "https://mirror.example.com/?a=b" must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment`,
		},
		"a public URL with a password": {
			minimal + "public_url: https://me:hunter2@mirror.example.com/\n",
			`7: public_url: "https://me:***@mirror.example.com/" must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment`,
		},
		"an unknown choice": {
			minimal + "cache: {type: Redis}\n",
			`7: cache.type: "Redis" must be memory or redis`,
		},
		"an unknown choice of many": {
			minimal + "log: {level: trace}\n",
			`7: log.level: "trace" must be debug, info, warn or error`,
		},
		"a password alone as proxy": {
			minimal + "origin: {proxy: hunter2}\n",
			`7: origin.proxy: *** must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment`,
		},
		"a proxy of another kind": {
			minimal + "origin: {proxy: 'ftp://u:hunter2@h:21'}\n",
			`7: origin.proxy: "ftp://u:***@h:21" must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment`,
		},
		"a proxy with a path": {
			minimal + "origin: {proxy: 'http://h:3128/a'}\n",
			`7: origin.proxy: "http://h:3128/a" must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment`,
		},
		"a proxy with a port that is none": {
			minimal + "origin: {proxy: 'socks5://h:99999'}\n",
			`7: origin.proxy: "socks5://h:99999" must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment`,
		},
		"a proxy without a host": {
			minimal + "origin: {proxy: 'http://u:hunter2@:3128'}\n",
			`7: origin.proxy: "http://u:***@:3128" must be a URL such as http://user:password@host:3128, with http, https or socks5 and without path, query and fragment`,
		},
		"a printed proxy": {
			minimal + "origin: {proxy: 'http://u:***@h:3128'}\n",
			`7: origin.proxy: "http://u:***@h:3128" must hold the password itself, not the *** that is printed for it`,
		},
		"too many redirects": {
			minimal + "origin: {max_redirects: 21}\n",
			`7: origin.max_redirects: "21" must be a whole number from 0 to 20`,
		},
		"a least throughput that no origin reaches": {
			minimal + "origin: {min_rate: 2GiB}\n",
			`7: origin.min_rate: "2GiB" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 0B to 1GiB`,
		},
		"a least throughput over a moment": {
			minimal + "origin: {min_rate_over: 10ms}\n",
			`7: origin.min_rate_over: "10ms" must be a duration such as 28s or 1m30s, from 1s to 1h`,
		},
		"a wait for the first byte that no client has": {
			minimal + "origin: {timeouts: {first_byte: 2h}}\n",
			`7: origin.timeouts.first_byte: "2h" must be a duration such as 28s or 1m30s, from 100ms to 30m`,
		},
		"no time to connect in": {
			minimal + "origin: {timeouts: {connect: 0}}\n",
			`7: origin.timeouts.connect: "0" must be a duration such as 28s or 1m30s, from 100ms to 2m`,
		},
		"a wait for the first byte that no copy can take": {
			service("ttl: 119s") + "origin: {timeouts: {first_byte: 60s}}\n",
			`5: services.s3.ttl: "1m59s" must be at least 2m, twice origin.timeouts.first_byte: a copy may take half of its ttl`,
		},
		"a password alone as URL of Redis": {
			minimal + "cache: {redis: {url: hunter2}}\n",
			`7: cache.redis.url: *** must be the URL of a Redis: it must begin with redis://, redis+cluster:// or redis+sentinel:// (or rediss for TLS), or with unix://`,
		},
		"a broken URL of Redis": {
			minimal + "cache: {redis: {url: 'redis://u:hunter2@h:x/0?sentinel_%70assword=hunter2&a=b'}}\n",
			`7: cache.redis.url: "redis://u:***@h:x/0?sentinel_%70assword=***&a=b" must be the URL of a Redis: it cannot be parsed; in user and password, all but letters and digits must be percent-encoded`,
		},
		"a database that is no number": {
			minimal + "cache: {redis: {url: redis://h/x}}\n",
			`7: cache.redis.url: "redis://h/x" must be the URL of a Redis: its path must be a database number, as in redis://host:6379/0`,
		},
		"a Sentinel without a master's name": {
			minimal + "cache: {redis: {url: 'redis+sentinel://:hunter2@h:26379/0?password=hunter2&hunter3'}}\n",
			`7: cache.redis.url: "redis+sentinel://:***@h:26379/0?password=***&***" must be the URL of a Redis: it has a parameter without =; in a password, & must be percent-encoded`,
		},
		"a database of a Cluster": {
			minimal + "cache: {redis: {url: 'redis+cluster://h/3'}}\n",
			`7: cache.redis.url: "redis+cluster://h/3" must be the URL of a Redis: it must name the database 0: a Cluster has no other`,
		},
		"a printed URL of Redis": {
			minimal + "cache: {redis: {url: 'redis://u:***@h/0'}}\n",
			`7: cache.redis.url: "redis://u:***@h/0" must hold the password itself, not the *** that is printed for it`,
		},
		"a prefix that would choose the cluster's slot": {
			minimal + "cache: {redis: {prefix: '{x}'}}\n",
			`7: cache.redis.prefix: "{x}" must be 1 to 100 visible ASCII characters without { and }, which mark the part of a key that a Redis Cluster hashes`,
		},
		"too little memory to remember anything": {
			minimal + "cache: {redis: {near: {memory: 1KiB}}}\n",
			`7: cache.redis.near.memory: "1KiB" must be at least 1MiB, or 0 to remember nothing`,
		},
		"memory without a time for which it is good": {
			minimal + "cache: {redis: {near: {delta: 0}}}\n",
			`7: cache.redis.near.delta: "0s" must be at least 100ms, or cache.redis.near.memory 0`,
		},
		"tokens that are short, numbers or no hashes": {
			minimal + "admin_tokens: [hunter2, 12345678901234567890, sha256:hunter2, ci:hunter2, ci:sha256:hunter2, my ci:hunter2hunter2hunter2]\n",
			`7: admin_tokens[0]: *** must be at least 16 visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash; a name of at most 64 visible ASCII characters and a colon may stand before it` + "\n" +
				`7: admin_tokens[1]: *** must be text: write it in quotes` + "\n" +
				`7: admin_tokens[2]: *** must have 64 hexadecimal digits behind its sha256: mark` + "\n" +
				`7: admin_tokens[3]: *** must be at least 16 visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash; a name of at most 64 visible ASCII characters and a colon may stand before it` + "\n" +
				`7: admin_tokens[4]: *** must have 64 hexadecimal digits behind its sha256: mark` + "\n" +
				`7: admin_tokens[5]: *** must be at least 16 visible ASCII characters, or sha256: and the 64 hexadecimal digits of a token's hash; a name of at most 64 visible ASCII characters and a colon may stand before it`,
		},
		"sizes out of range": {
			minimal + "copier: {part_size: 4MiB, memory: 2TiB}\n",
			`7: copier.part_size: "4MiB" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 5MiB to 5GiB` + "\n" +
				`7: copier.memory: "2TiB" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 5MiB to 1TiB`,
		},
		"a size of decimal units": {
			minimal + "copier: {part_size: 16MB}\n",
			`7: copier.part_size: "16MB" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 5MiB to 5GiB`,
		},
		"a size beyond 64 bits": {
			minimal + "copier: {memory: 18014398509498368KiB}\n",
			`7: copier.memory: "18014398509498368KiB" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 5MiB to 1TiB`,
		},
		"a negative duration": {
			minimal + "copier: {grace: -1s}\n",
			`7: copier.grace: "-1s" must be a duration such as 28s or 1m30s, from 0s to 1h`,
		},
		"a visibility out of range": {
			minimal + "queue: {sqs: {visibility: 13h}}\n",
			`7: queue.sqs.visibility: "13h" must be a duration such as 28s or 1m30s, from 1s to 12h`,
		},
		"a visibility of half seconds": {
			minimal + "queue: {sqs: {visibility: 1500ms}}\n",
			`7: queue.sqs.visibility: "1500ms" must be whole seconds`,
		},
		"no receives": {
			minimal + "queue: {sqs: {max_receives: 0}}\n",
			`7: queue.sqs.max_receives: "0" must be a whole number from 1 to 1000`,
		},
		"a queue prefix with a dot": {
			minimal + "queue: {sqs: {prefix: a.b}}\n",
			`7: queue.sqs.prefix: "a.b" must be 1 to 74 characters of letters, digits and -_`,
		},
		"backends that are none": {
			minimal + "copier: {backends: [s3, S3/x]}\n",
			`7: copier.backends[0]: "s3" is not of the form service/region` + "\n" +
				`7: copier.backends[1]: service "S3" must be 1 to 20 characters of a-z and 0-9`,
		},
	})
}

func TestBadServices(t *testing.T) {
	refused(t, map[string]badFile{
		"a bad name of a service": {
			"services:\n  S3: {}\n",
			`2: services: service "S3" must be 1 to 20 characters of a-z and 0-9`,
		},
		"a reserved region": {
			"services:\n  s3:\n    backends: {auto: {}}\n",
			`3: services.s3.backends: region "auto" is reserved: auto, all and origin have meanings of their own`,
		},
		"a service without anything": {
			"services:\n  s3:\n",
			`2: services.s3.allow: must list at least one pattern, such as "^https://"` + "\n" +
				`2: services.s3.backends: must name at least one region`,
		},
		"no patterns": {
			"services:\n  s3:\n    allow: []\n    backends: {us-east-1: {storage: {type: file}}}\n",
			`3: services.s3.allow: must list at least one pattern, such as "^https://"`,
		},
		"patterns that do not fix the host": {
			"services:\n  s3:\n    allow:\n    - ^https://good.example.com\n    - http://good.example.com/\n    - ^https://(/\n",
			`4: services.s3.allow[0]: "^https://good.example.com" must fix the host up to the "/" behind it, as in ^https://good\.example\.com/ (write \. for a dot and [^/]+ for any name)` + "\n" +
				`5: services.s3.allow[1]: "http://good.example.com/" must begin with ^https://, ^http:// or ^https?://` + "\n" +
				"6: services.s3.allow[2]: \"^https://(/\": error parsing regexp: missing closing ): `(/`",
		},
		"addresses that are no ranges": {
			service(`allow_addresses:`, `- 10.0.0.1`, `- 10.0.0.1/8`, `- office`),
			`6: services.s3.allow_addresses[0]: "10.0.0.1" must be a range of addresses: write 10.0.0.1/32` + "\n" +
				`7: services.s3.allow_addresses[1]: "10.0.0.1/8" has bits set behind its prefix: write 10.0.0.0/8` + "\n" +
				`8: services.s3.allow_addresses[2]: "office" must be a range of addresses such as 10.1.0.0/16 or fd00::/8`,
		},
		"ports out of range": {
			service(`ports: [0, 65536]`),
			`5: services.s3.ports[0]: "0" must be a whole number from 1 to 65535` + "\n" +
				`5: services.s3.ports[1]: "65536" must be a whole number from 1 to 65535`,
		},
		"a direct pattern that fixes no host": {
			service(`direct: ['^https://a\.example\.com']`),
			`5: services.s3.direct[0]: "^https://a\\.example\\.com" must fix the host up to the "/" behind it, as in ^https://good\.example\.com/ (write \. for a dot and [^/]+ for any name)`,
		},
		"pages of no site": {
			service(`cors: ["null"]`),
			`5: services.s3.cors[0]: "null" must be "*" or the origin of pages: http or https, a host and perhaps a port, such as https://app.example.com`,
		},
		"pages below a path": {
			service(`cors: ["https://App.example.com:443/admin"]`),
			`5: services.s3.cors[0]: "https://App.example.com:443/admin" must be written https://app.example.com, as browsers do`,
		},
		"pages of many sites": {
			service(`cors: ["https://*.example.com"]`),
			`5: services.s3.cors[0]: "https://*.example.com" must be "*" or the origin of pages: http or https, a host and perhaps a port, such as https://app.example.com`,
		},
		"pages of all sites and one": {
			service(`cors: ["*", "https://app.example.com"]`),
			`5: services.s3.cors: "*" must be alone: it stands for every origin`,
		},
		"pages of one site without brackets": {
			service(`cors: https://app.example.com`),
			`5: services.s3.cors: must be a list; [] is the empty one`,
		},
		"a wait without unit": {
			service(`wait: 28`),
			`5: services.s3.wait: "28" must be a duration such as 28s or 1m30s, from 0s to 15m`,
		},
		"a wait of more than 15 minutes": {
			service(`wait: 15m1s`),
			`5: services.s3.wait: "15m1s" must be a duration such as 28s or 1m30s, from 0s to 15m`,
		},
		"copies kept for less than a minute": {
			service(`ttl: 59s`),
			`5: services.s3.ttl: "59s" must be a duration such as 28s or 1m30s, from 1m to 87600h`,
		},
		"an unknown fallback": {
			service(`fallback: maybe`),
			`5: services.s3.fallback: "maybe" must be origin or none`,
		},
		"an unknown mode": {
			service(`mode: redirect`),
			`5: services.s3.mode: "redirect" must be wait or redirect-now`,
		},
		"objects of no size": {
			service(`max_object_size: 0`),
			`5: services.s3.max_object_size: "0" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 1B to 5TiB`,
		},
		"a negative recheck": {
			service(`recheck: -1s`),
			`5: services.s3.recheck: "-1s" must be a duration such as 28s or 1m30s, from 0s to 87600h`,
		},
		"a bandwidth without a unit that is known": {
			service(`bandwidth: 100Mbit`),
			`5: services.s3.bandwidth: "100Mbit" must be a size such as 16MiB (B, KiB, MiB, GiB, TiB; a plain number is bytes), from 0B to 1TiB`,
		},
		"fewer copies of a host than none": {
			minimal + "limits: {copies_per_host: -1}\n",
			`7: limits.copies_per_host: "-1" must be a whole number from 0 to 1000`,
		},
		"several mistakes in one file": {
			service(`backend: {}`, `wait: 16m`, `negative_ttl: forever`),
			`5: services.s3.backend: is not a key; did you mean backends?` + "\n" +
				`6: services.s3.wait: "16m" must be a duration such as 28s or 1m30s, from 0s to 15m` + "\n" +
				`7: services.s3.negative_ttl: "forever" must be a duration such as 28s or 1m30s, from 0s to 24h`,
		},
	})
}

func TestBadStorages(t *testing.T) {
	refused(t, map[string]badFile{
		"no type": {
			storages(`bucket: abc`),
			`5: services.s3.backends.region-a.storage.type: must be set to file or s3`,
		},
		"no storage": {
			"services:\n  s3:\n    allow: [^https://]\n    backends:\n      region-a:\n",
			`5: services.s3.backends.region-a.storage.type: must be set to file or s3`,
		},
		"no bucket": {
			storages(`type: s3`),
			`5: services.s3.backends.region-a.storage.bucket: must be set`,
		},
		"a bucket with a slash": {
			storages(`type: s3, bucket: a/bc`),
			`5: services.s3.backends.region-a.storage.bucket: "a/bc" must be 3 to 255 characters of letters, digits and ._-`,
		},
		"a prefix that begins with a slash": {
			storages(`type: s3, bucket: abc, prefix: /a`),
			`5: services.s3.backends.region-a.storage.prefix: "/a" must be at most 512 visible ASCII characters, without a slash at the beginning and without . and .. as segments`,
		},
		"a prefix with dot segments": {
			storages(`type: s3, bucket: abc, prefix: a/../b`),
			`5: services.s3.backends.region-a.storage.prefix: "a/../b" must be at most 512 visible ASCII characters, without a slash at the beginning and without . and .. as segments`,
		},
		"an endpoint that is no web server": {
			storages(`type: s3, bucket: abc, endpoint: 'ftp://h'`),
			`5: services.s3.backends.region-a.storage.endpoint: "ftp://h" must be a URL such as https://mirror.example.com, with http or https and a host, without user, query and fragment`,
		},
		"signatures for a CDN": {
			storages(`type: s3, bucket: abc, public_url: 'https://cdn.example.com', presign: true`),
			`5: services.s3.backends.region-a.storage.presign: "true" does not go with public_url: a signature is good for the bucket's own URL only`,
		},
		"signatures for what everybody may read": {
			storages(`type: s3, bucket: abc, presign: true, access: public`),
			`5: services.s3.backends.region-a.storage.access: "public" does not go with presign: what everybody may read needs no signature`,
		},
		"an access that is none": {
			storages(`type: s3, bucket: abc, access: yes`),
			`5: services.s3.backends.region-a.storage.access: "yes" must be auto, public or private`,
		},
		"a bucket for files": {
			storages(`type: file, bucket: abc, region: eu-west-1`),
			`5: services.s3.backends.region-a.storage.bucket: is for storage of type s3; this one is of type file` + "\n" +
				`5: services.s3.backends.region-a.storage.region: is for storage of type s3; this one is of type file`,
		},
		"one bucket twice": {
			storages(`type: s3, bucket: abc`, `type: s3, bucket: abc, region: eu-west-1`),
			`6: services.s3.backends.region-b.storage: bucket "abc" with prefix "" overlaps bucket "abc" with prefix "" of s3/region-a: every backend needs keys of its own, and no prefix may begin with another`,
		},
		"a prefix inside of another": {
			storages(`type: s3, bucket: abc, prefix: a/b/`, `type: s3, bucket: abc, prefix: b/`, `type: s3, bucket: abc, prefix: a/`),
			`7: services.s3.backends.region-c.storage: bucket "abc" with prefix "a/" overlaps bucket "abc" with prefix "a/b/" of s3/region-a: every backend needs keys of its own, and no prefix may begin with another`,
		},
		"a prefix around another": {
			storages("type: s3, bucket: abc, prefix: a/", "type: s3, bucket: abc, prefix: a/b/"),
			`6: services.s3.backends.region-b.storage: bucket "abc" with prefix "a/b/" overlaps bucket "abc" with prefix "a/" of s3/region-a: every backend needs keys of its own, and no prefix may begin with another`,
		},
		"one bucket with and without the port": {
			storages(`type: s3, bucket: abc, endpoint: 'https://h'`, `type: s3, bucket: abc, endpoint: 'https://h:443'`),
			`6: services.s3.backends.region-b.storage: bucket "abc" with prefix "" overlaps bucket "abc" with prefix "" of s3/region-a: every backend needs keys of its own, and no prefix may begin with another`,
		},
		"one bucket behind two spellings of an endpoint": {
			storages(`type: s3, bucket: abc, endpoint: 'http://H:9000'`, `type: s3, bucket: abc, endpoint: 'http://h:9000/'`),
			`6: services.s3.backends.region-b.storage: bucket "abc" with prefix "" overlaps bucket "abc" with prefix "" of s3/region-a: every backend needs keys of its own, and no prefix may begin with another`,
		},
	})
}
