// Package engine is the one way to get an object copied.
//
// Front ends ask it where a copy is ([Engine.Peek]), and to have one made and wait
// for it ([Engine.Wait]). Copiers let it begin and end attempts ([Engine.Begin],
// [Attempt]). Operators purge with it ([Engine.Purge]); a cleanup evicts with it
// ([Engine.Evict]). It joins a cache, storages and queues, and knows nothing of HTTP
// or origins.
//
// What it promises:
//
//   - "Pending" means that a job exists: a front end that wins a claim sends the job
//     or gives the claim back, whatever happens to its client; a claim whose job
//     seems lost is sent again.
//   - However many clients of one process ask for an object, one goroutine (a
//     flight) looks, claims and waits for all of them, and ends with the last.
//   - A broken cache, queue or storage is an error ([ErrUnavailable]), never
//     "there is no copy".
//   - A client that asks after a purge has returned is never told of a copy whose
//     upload had begun before it, whatever is flushed, lost or late.
//   - A copy that storage lost is found out behind a hit, once this process has not
//     seen it for Backend.Recheck; no client waits for that look.
//   - Every step has a deadline of its own, and a dependency that keeps failing
//     does not hold every client up.
package engine
