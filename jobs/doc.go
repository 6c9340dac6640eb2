// Package jobs asks for many copies in the background, for one caller that follows
// how far they are.
//
// A job runs in the process that took it. That process keeps it in memory, and puts
// its report into a kv.Store at most once a second, so that any other process of the
// deployment finds it. A running job whose process is silent for Silence is lost:
// what it asked for until then is copied all the same, and the caller asks for the
// rest again. Without the store a job runs as ever, and its report says that only its
// own process knows it.
package jobs
