// Package doctor checks a configuration against the servers that it names: Redis,
// the queues, the buckets, and the addresses that clients are sent to.
//
// What is missing or different it learns from the plans of package provision. The
// rest it tries: it writes a copy as a copier does, reads it as a client does, and
// removes it, and does the same with a key in Redis. It leaves everything as it
// was.
//
// Its findings are true for the machine and the credentials that it runs with.
package doctor
