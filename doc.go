// Package cloudmirror is the vocabulary of a lazy, copy-on-first-request mirror
// for immutable objects. It holds the words that every other package uses and
// nothing that does anything: [Object] (the canonical origin URL and the keys
// derived from it), [BackendID] (service and region), [Generation] (which
// storage keys of an object are current) and [Failure] (why there is no copy).
//
// The system on a page:
//
//	client ── GET /v1/redirect/<service>/<region>/<url> ──▶ frontend
//	                                                          │ Ensure, Peek, Purge
//	                                                          ▼
//	   cache (entries) ◀──── compare and swap ──────────── engine ────── Stat ──▶ storage (copies)
//	        ▲                                                 │ Send                 ▲
//	        │ Start, Renew, Complete, Fail                    ▼                      │
//	        └──────────────────────── copier ◀── Receive ── queue (jobs)             │
//	                                    │                                            │
//	                       origin ──────┘ GET, checked on every hop ──────── Put ────┘
//
// A client is redirected to the copy in its region. If there is none, the one
// front end that wins the claim sends one job; a copier makes the copy; the
// change of the entry wakes whoever waits. What takes too long, or fails on our
// side, ends in a redirect to the origin.
//
// The packages are layers, and each imports only layers above its own:
//
//	0  cloudmirror redisurl                 this package; which Redis a URL names
//	1  cache queue storage origin config    contracts and pure logic
//	2  drivers and suites                   cache/rediscache, queue/sqsqueue, storage/s3store, …
//	3  engine                               the engine: the one way to get an object copied
//	5  frontend copier                      HTTP in and out; jobs in, objects out
//	6  app                                  wires a configuration into running parts
//	7  cmd/cloudmirror                      the binary
//
// test/layers_test.go enforces this order; layer 4 is kept for what comes later.
package cloudmirror
