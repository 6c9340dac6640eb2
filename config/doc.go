// Package config reads and checks the configuration: one file, the environment
// and a few flags become one [Config]. It builds nothing, connects to nothing
// and knows no other package of the system but the vocabulary.
//
// # Sources
//
// [Load] takes, each overriding the one before: the defaults, the file, the
// variables CLOUDMIRROR_… of the environment that it is given, and [Overrides]
// from flags. Every scalar key outside `services` has a variable, named by its
// path: cache.redis.url is CLOUDMIRROR_CACHE_REDIS_URL. An empty variable counts
// as not set; one that names no key is a warning, since other software sets
// variables of that shape too. The package never reads the environment itself.
//
// # Errors
//
// The file is read strictly: unknown and repeated keys, values of the wrong type
// and values out of range are errors. All of them are reported, each on a line
// of its own that names the place, the key, the value (secrets as ***) and what
// is allowed:
//
//	cloudmirror.yaml:12: services.s3.wait: "28" must be a duration such as 28s or 1m30s, from 0s to 15m
//
// Relations between keys are looked at only when each key by itself is right.
// Anchors, aliases and merge keys (<<) work.
//
// # Secrets
//
// Bearer tokens are kept as their SHA-256 only. The URL of Redis may hold a
// password; [Config.Print] and the errors show it as ***.
package config
