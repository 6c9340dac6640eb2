// Package rediscache keeps the cache in Redis: one server, one behind Sentinel,
// or a Redis Cluster. It is the store of a deployment of many processes.
//
// It promises what cache.Store says. A Get is one plain GET, sent together with
// those that others ask for at the same time. A GetAll is one of them for each key, in
// one pipeline, which goes to one node of a Cluster. A Swap is one script on one key,
// so all work in a Cluster, and what is stored is the entry's JSON under the
// prefix, with a time to live. Times are the clock of the server that runs the
// script. Any loss of Redis, of its data, or of the connection costs time only.
//
// Watchers are woken by Redis' own broadcast of invalidated keys (CLIENT
// TRACKING … BCAST, https://redis.io/docs/latest/develop/reference/client-side-caching/),
// so that no change, expiry and flushes included, needs a message from the process that
// made it. Each connection that listens proves itself: a canary, a small key that is
// written every second through the connections that Get and Swap use, must come
// back on it. Otherwise a listener would stay with a master that Sentinel has
// replaced.
//
// With Options.NearBytes, present entries that Get and GetAll have read are kept in memory,
// for Recall. What is kept is dropped when Redis tells that it changed, and is
// shown only while a canary that was sent within Options.NearDelta has been
// heard of every master. So a caller that waits for that long after a change knows that
// no process shows what was before it, however paused, cut off or left behind by
// a failover. Get and GetAll themselves never answer from memory.
//
// With it, absence is remembered, too, for RecallAny: for a second after NoteAbsent,
// which says that storage had nothing either, or until Redis tells of a change. Only
// what GetAll has read in the same way can be noted. Absences have a bound of their own,
// 4 MiB.
//
// For waking, Redis must be of version 6 or later; with another, watchers hear
// nothing, and callers live from their slow poll. A user with an ACL needs
// `~<prefix>* &<prefix>* +get +set +del +time +eval +evalsha +ping +subscribe
// +client|tracking`, and in a Cluster `+cluster|slots +command`.
//
// The package must not decide transitions, and its errors never contain the
// password or the URL.
package rediscache
