// Package schema reads configurations: one YAML file and the environment, along
// a grammar of keys that the caller describes. It knows no key, no other package
// of this module, and nothing about what a key means.
//
// # Grammar
//
// A [Section] lists keys, each bound to the variable that it sets: one value
// ([One]), a list ([Many]), a section ([Group]), sections under names that the
// user chooses ([Each]), or HTTP headers ([Headers]). A [Kind] says how a value is
// read from text, written, and shown in an error. The variables hold the defaults
// when reading begins.
//
//	keys := schema.Section{
//		schema.One("listen", &c.Listen, schema.HostPort()),
//		schema.Group("log", schema.Section{
//			schema.One("level", &c.Level, schema.Choice("info", "debug")),
//		}),
//	}
//
// # Reading
//
// [Section.Read] reads a file, [Section.ReadEnvironment] the variables of the
// environment, [Section.Set] a flag; each overrides what was read before.
// [Sources] remembers where each key was set, so that an error about two keys,
// too, can name a place. [Section.Write] writes the values as YAML.
//
// # Errors
//
// Reading is strict: unknown and repeated keys, values of the wrong type and
// values out of range are errors. All of them are reported, each on one line that
// names the place, the key, the value and what is allowed ([Problem]):
//
//	cloudmirror.yaml:12: services.s3.wait: "28" must be a duration such as 28s or 1m30s, from 0s to 15m
//
// Anchors, aliases and merge keys (<<) work; the work that they cause is bounded.
//
// # Secrets
//
// What a kind holds to be secret is shown as [Secret], in errors and when it is
// written.
package schema
