// Package queuetest checks that a driver keeps the promises of queue.Queue and
// queue.Counter: each sentence of their comments is a test of [Run].
//
// A driver calls Run from its own tests, once for each way in which it can be
// set up. The promises are checked with one fixed interleaving each; a run of
// many goroutines at once, which ends by accounting for every job, supplements
// them.
package queuetest
