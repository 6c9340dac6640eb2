// Package kv is the contract for small records that the processes of a deployment
// share and may lose: which processes are alive, how far background jobs are.
//
// A record has a table, an id within it, and a life after which it vanishes. What
// must not be lost belongs elsewhere: a store may be flushed at any time.
//
// Drivers are memkv, for a deployment that is one process, and rediskv. The suite
// kvtest holds both to the contract.
package kv
