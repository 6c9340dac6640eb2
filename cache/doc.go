// Package cache is the contract of the cache, and the state machine of what it
// holds.
//
// An [Entry] is what the cache knows of one copy. Its methods are the state
// machine: pure functions of an entry and a time, which no store can see
// differently. A [Store] only compares and swaps, reads one entry or those of
// one object in all regions, and notifies callers that wait of changes. [Update] joins
// the two.
//
// What a process remembers of entries ([Recalled]) stands beside the store. It may be
// a moment old, present or absent, so it answers callers that only look, and no change
// is based on it.
//
// Each line is what a method makes of the states before it, where it changes anything;
// "time" is what At makes of an entry whose time is over. The states are pending while
// they are reserved, queued or copying. Their leases end by themselves, but the entry
// stays, for a claim or an attempt to take over.
//
//	absent                       ─Reserve─────▶ reserved           claimed before storage is looked at
//	reserved                     ─Adopt───────▶ reserved           storage knows another generation
//	reserved                     ─Discover────▶ present            storage has a copy
//	absent, tombstone, fenced    ─Claim───────▶ queued             one claim wins; its lease covers the wait in the queue
//	error                        ─Claim───────▶ queued             the retry is due
//	reserved, queued, copying    ─Claim───────▶ queued             the lease lapsed: the same job is sent again
//	reserved, queued             ─Defer───────▶ same               the job rests in its queue
//	reserved                     ─Release─────▶ absent             the job could not be sent
//	queued                       ─Release─────▶ absent, tombstone, error
//	reserved, queued             ─Start───────▶ copying            a short lease, renewed by the copier
//	absent, tombstone, fenced    ─Start───────▶ copying            the cache was flushed while the job waited
//	copying                      ─Start───────▶ copying            taken over: the lease lapsed
//	absent, reserved, queued     ─Restore─────▶ copying            a flush removed the entry of a running attempt
//	copying                      ─Renew───────▶ copying            a heartbeat
//	copying                      ─Complete────▶ present
//	copying                      ─Fail────────▶ error
//	copying                      ─Postpone────▶ error              the origin was asked for nothing
//	copying                      ─Requeue─────▶ queued             handed back by a copier that stops
//	copying                      ─Abandon─────▶ absent             the attempt turned out to be overtaken
//	error                        ─Forgive─────▶ absent, tombstone  an operator sends the job again
//	absent                       ─Fence───────▶ fenced             storage has a copy: the entry shows whether a purge comes in between
//	fenced                       ─Unfence─────▶ absent             one did
//	absent, tombstone, fenced    ─Backfill────▶ present            storage has a copy
//	error                        ─Backfill────▶ present
//	reserved, queued, copying    ─Backfill────▶ present            the lease lapsed
//	present                      ─Lose────────▶ absent, tombstone  storage does not have the copy any more
//	absent                       ─Evict───────▶ evicting           the copy's own expiry is over: its bytes are about to go
//	evicting                     ─EndEviction─▶ absent
//	any                          ─Purge───────▶ tombstone          for a new generation
//	present, error               ─time────────▶ absent, tombstone
//	tombstone, fenced, evicting  ─time────────▶ absent
//
// What becomes absent while the tombstone of a purge lives becomes that tombstone.
//
// Two values fence. The attempt, a random id that each Start makes anew, keeps
// a copier that was taken over from touching the entry. The generation, which
// each purge makes anew, keeps everything that began before a purge from
// undoing it: an entry that follows on a young tombstone becomes the tombstone
// again where it would become absent.
//
// The cache is only a cache: losing any or all entries at any moment is allowed
// and must cost latency alone. Times in entries are the store's clock, so that
// hosts with skewed clocks cannot disagree.
package cache
