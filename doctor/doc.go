// Package doctor holds a configuration against the world that it names: Redis,
// the queues, the buckets, and the addresses that clients are sent to.
//
// It finds what is missing or different by the plans of package provision, and
// the rest by trying: a copy is written as a copier does, read as a client does,
// and removed, and so is a key in Redis. Whatever it finds, it leaves everything as
// it was.
// It sees the world from where it runs, with the credentials that it has.
package doctor
