// Package memqueue is a job queue in the memory of one process, for `serve`
// without any configuration and for tests.
//
// It keeps the promises of queue.Queue but durability: a restart forgets its
// jobs, which costs one look at storage and one copy each. Messages are kept in
// their encoded form, so that every job takes the same way through the decoder
// as with a real queue. Its size is bounded: Send refuses with queue.ErrFull,
// and the oldest of too many dead letters is dropped with a line in the log.
//
// There is nothing to close: it runs no goroutine and no timer of its own, only
// those of the Receive calls that wait. Time is package time's, so that
// testing/synctest drives it.
package memqueue
