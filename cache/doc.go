// Package cache is the contract of the cache, and the state machine of what it
// holds.
//
// An [Entry] is what the cache knows of one copy. Its methods are the state
// machine: pure functions of an entry and a time, which no store can see
// differently. A [Store] only compares and swaps, reads one entry or those of
// one object in all regions, and tells callers that wait that something changed. [Update]
// joins the two.
//
// What a process remembers of entries ([Recalled]) stands beside the store. It may be
// a moment old, present or absent, so it answers callers that only look, and no change
// is based on it.
//
//	absent   ─Claim──▶ queued    one wins; the lease covers the wait in the queue
//	queued   ─Claim──▶ queued    its lease lapsed: the same job is sent again
//	queued   ─Start──▶ copying   short lease, renewed by the copier
//	absent   ─Start──▶ copying   the cache was flushed while the job waited
//	copying  ─Renew─▶ copying    ─Complete─▶ present    ─Fail─▶ error
//	copying  ─Start──▶ copying   taken over, its lease lapsed
//	copying  ─Claim──▶ queued    its lease lapsed: the same job is sent again
//	copying  ─Requeue▶ queued    handed back by a copier that stops
//	absent   ─Restore▶ copying   a flush removed the entry of a running copy; so from queued
//	absent   ─Backfill▶ present  storage has the copy; so from an error, a lapsed lease
//	present  ─time───▶ absent    ─Lose─▶ absent, storage does not have the copy any more
//	error    ─Claim──▶ queued    retry due;  ─time─▶ absent
//	any      ─Purge──▶ tombstone ─time─▶ absent; ─Claim─▶ queued, for the new generation
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
