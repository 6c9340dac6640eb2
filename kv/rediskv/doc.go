// Package rediskv is a kv.Store in Redis: single, behind Sentinels, or a Cluster.
//
// The keys of a table are <prefix>kv:{<table>}:<id>, and <prefix>kv:{<table>} for
// its index, so that one script can change both, in a Cluster too. They are outside
// of what the near caches of rediscache track. A user of Redis who may use
// rediscache's commands on its prefix may use these: the scripts call get, set, del
// and time alone.
package rediskv
