// Package sqsqueue is a job queue in Amazon SQS, or in anything that speaks its
// protocol.
//
// A backend has two queues: `<prefix><service>-<region>`, and the same with
// `-dead` for what cannot be worked on. They are looked up at the first use, and
// created if they are missing, unless that is turned off; an existing queue is
// taken as it is, and what it is set to never overwritten. So a Queue can be
// made while SQS cannot be reached: every call tries again, no longer than its
// context allows.
//
// Sends and acknowledgements that happen at the same time share requests. One
// that comes alone goes out at once; while it is on its way the others gather,
// and leave together. The end of a caller's context ends its wait, not the
// request of the others.
//
// What is buried is sent to the dead letters first and then deleted, and what is
// redriven the other way round: if the process dies in between it is in both
// queues, never in none. The redrive policy of the queue buries messages that no
// receiver lives long enough to bury, some receives after our limit and without a
// reason.
package sqsqueue
