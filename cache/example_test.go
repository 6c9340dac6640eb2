package cache_test

import (
	"fmt"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

// The life of an entry, from the first client that asks for an object to the
// purge of its copy.
func ExampleEntry_Claim() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entry := cache.Entry{State: cache.Absent}

	// Two front ends want a copy. One wins, and sends a job; both wait.
	entry, outcome := entry.Claim(now, "job-1", cloudmirror.FirstGeneration, 5*time.Minute)
	fmt.Println("first claim won:", outcome == cache.ClaimWon)
	entry, outcome = entry.Claim(now, "job-2", cloudmirror.FirstGeneration, 5*time.Minute)
	fmt.Println("second claim waits:", outcome == cache.ClaimPending, "for", entry.Job)

	// A copier gets the job and begins an attempt. It tells now and then that
	// it is alive, and how far it is.
	now = now.Add(time.Second)
	entry, start := entry.Start(now, entry.Job, "attempt-1", entry.Generation, 30*time.Second)
	fmt.Println("started:", start == cache.StartWon, entry.State)
	entry, err := entry.Renew(now.Add(10*time.Second), "attempt-1", 30*time.Second, cache.Progress{DoneBytes: 5, TotalBytes: 7})
	fmt.Println("renewed:", err == nil, entry.Progress.DoneBytes, "of", entry.Progress.TotalBytes, "bytes")

	// The copier is cut off. When its lease is over another one takes the job,
	// and the first one, back again, is refused.
	now = now.Add(time.Minute)
	entry, start = entry.Start(now, entry.Job, "attempt-2", entry.Generation, 30*time.Second)
	fmt.Println("taken over:", start == cache.StartWon)
	_, err = entry.Complete(now, "attempt-1", cache.Copy{SizeBytes: 7}, now.Add(24*time.Hour))
	fmt.Println(err)
	entry, err = entry.Complete(now, "attempt-2", cache.Copy{SizeBytes: 7}, now.Add(24*time.Hour))
	fmt.Println("completed:", err == nil, entry.State)

	// An operator purges the object. What was seen before cannot bring the old
	// copy back; the next claim, for the new generation, begins again.
	entry = entry.Purge(now, "generation-2", 2*time.Minute)
	entry = entry.Backfill(now, cloudmirror.FirstGeneration, cache.Copy{SizeBytes: 7}, now.Add(24*time.Hour))
	fmt.Println("purged:", entry.State)
	entry, outcome = entry.Claim(now, "job-3", "generation-2", 5*time.Minute)
	fmt.Println("claimed again:", outcome == cache.ClaimWon, entry.State)

	// Output:
	// first claim won: true
	// second claim waits: true for job-1
	// started: true copying
	// renewed: true 5 of 7 bytes
	// taken over: true
	// cache: another attempt holds the entry
	// completed: true present
	// purged: tombstone
	// claimed again: true queued
}
