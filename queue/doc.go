// Package queue is the contract of the job queues, one per backend, and the form
// of a [Job].
//
// A [Queue] delivers at least once: a job may come twice, late, and out of
// order, but it never vanishes. What cannot be worked on is for its receiver to
// bury among the backend's dead letters, with a reason: what is no job at once,
// what crashes its copiers again and again by the receive count. Operators reach
// them through [DeadLetters]. Tries that failed are counted in the job
// ([Job.Tries]) and not by receives, since every return to a queue counts as a
// receive: a retry or a hand-back sends a fresh message and acknowledges the old
// one.
package queue
