// Package copier takes jobs from queues and copies objects from their origins
// into storage. It never answers clients.
//
// A delivery is a task. Its heartbeat keeps the message hidden and the entry
// held, from the moment it was received; the engine decides whether there is
// something to copy; the origin's body is streamed into storage, which makes the
// copy visible only when it is whole and verified; the entry becomes present, or
// an error; the message is acknowledged last. A copier that dies in between
// leaves a message that is received again.
//
// Origins are treated considerately ([Limits]). At most Limits.CopiesPerHost copies
// ask one scheme, host and port at a time, whether for its own objects or by
// redirects, by priority and then in the order in which the jobs came. Long copies hold all but one of
// these turns at most, so that small objects do not wait for them (turns.go); one for
// which there is no turn ends, and its job waits. A host that is in trouble, or asks
// for a rest, is paused but for a probe now and then, which costs its jobs no try.
// A service reads no faster than its bandwidth.
//
// Copies run in slots. One whose origin is slow leaves its slot and goes on in a
// pool beside them, so that origins that drip keep no other job waiting; when the
// pool is full, the slowest copy is handed back, one for which no client waits first.
// Jobs for which no client waits get at most half of the slots, and wait for them as for
// the turns of a host (priority.go).
//
// While the cache or a backend's storage is down, the copier does not receive:
// messages would only use up their receives.
package copier
