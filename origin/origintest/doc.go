// Package origintest is an origin with behaviour, for tests and demonstrations.
//
// Every path of an [Origin] has an object of deterministic bytes, of any size,
// generated while they are sent. What an object does is a [Behaviour]: set by a
// test with [Origin.Set], or written into the query of its URL, so that a test
// that only knows URLs can have it too:
//
//	http://127.0.0.1:9000/a/file.bin?size=1048576&status=503&times=2
//
// It is no origin for production: it obeys whoever writes the URL.
package origintest
