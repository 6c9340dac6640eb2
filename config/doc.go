// Package config says what the keys of the configuration mean: one file, the
// environment and a few flags become one checked [Config]. How they are read is in
// package config/schema. Package config builds nothing, connects to nothing, and
// imports only the vocabulary, redisurl and the schema.
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
// Every mistake is reported, each on a line of its own that names the place, the
// key, the value and what is allowed, as package schema describes. Relations
// between keys are checked only when each key by itself is right.
//
// # Secrets
//
// Bearer tokens are kept as their SHA-256 only. The URL of Redis and that of the
// proxy may hold passwords, and headers are secrets; [Config.Print] and the errors
// show *** for them.
//
// # Adding a key
//
// A key is a field of Config, a line in keys.go, perhaps a default in defaults.go,
// and an entry of example.yaml. What it must be beside other keys is in
// relations.go.
package config
