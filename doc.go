// Package cloudmirror is the vocabulary of a lazy, copy-on-first-request mirror
// for immutable objects. It holds the words that every other package uses and
// nothing that does anything: [Object] (the canonical origin URL and the keys
// derived from it), [Target] (how a client names an object), [BackendID] (service
// and region), [Place] (what can serve an object), [Generation] (which storage keys
// of an object are current) and [Failure] (why there is no copy).
//
// The system on a page:
//
//	client ── GET /v1/redirect/<service>/<region>/<url> ──▶ frontend
//	                                                          │ Peek, Wait, Purge
//	                                                          ▼
//	   cache (entries) ◀──── compare and swap ──────────── engine ────── Stat ──▶ storage (copies)
//	                                                   Send │  ▲                     ▲
//	                                                        ▼  │ Begin, Renew,       │
//	                                             queue (jobs)  │ Complete, Fail      │
//	                                                        │  │                     │
//	                                                Receive ▼  │                     │
//	                    origin ◀── GET, checked on ──────── copier ───── Put ────────┘
//	                               every hop
//
// A client is redirected to the copy in its region. If there is none, the one
// front end that wins the claim sends one job; a copier makes the copy; the
// change of the entry wakes the waiting clients. If the copy takes too long, or a
// part of cloudmirror fails, clients are redirected to the origin.
//
// The packages are layers, and each imports only layers above its own:
//
//	0  cloudmirror redisurl config/schema    this package; which Redis a URL names; how a configuration is read
//	1  cache queue storage origin kv         contracts and pure logic
//	1  config provision api                  what its keys mean; what a deployment needs; the bodies and codes of HTTP
//	2  cache/… queue/… storage/… kv/…        drivers, suites and fakes: cache/rediscache, cache/cachetest, …
//	2  origin/… api/…                        a fake origin; the client of the HTTP interface
//	3  engine presence                       the one way to get an object copied; the processes of a deployment
//	3  cache/… queue/… storage/…             what Redis, SQS and S3 need before the drivers work: provisioning
//	4  jobs monitor                          lists of copies; whether clients can fetch copies
//	6  frontend copier doctor                HTTP in and out; jobs in, objects out; checks of a configuration
//	7  app                                   wires a configuration into running parts
//	8  cmd/cloudmirror                       the binary
//
// A name with /… stands for the packages of that layer in the directory.
// test/layers_test.go enforces the order.
package cloudmirror
