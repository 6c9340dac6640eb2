// Package sqstest is a server of the SQS protocol (AWS JSON 1.0) in the process
// of a test, for the actions that sqsqueue uses.
//
// It behaves: messages hide and come back, receipt handles go stale, redrive
// policies move, limits are enforced, long polls wake at once. Its clock is its
// own, moved by Server.Advance, so that tests of hours take no time; only the
// waiting of a long poll is on the real clock. Faults can be injected into any
// action.
//
// It is no judge of what SQS does: its author is the driver's. The driver's
// suite therefore also runs on an independent implementation.
package sqstest
