package cache

import "time"

// Queueing tells how long a job waits in its queue. It is not changed once made.
type Queueing struct {
	Since     time.Time // when the job was sent first or, if a copier handed it back since, that
	DelayedTo time.Time // before then no copier receives the job; zero: it is not held back
}

// Defer notes that the job of a claim rests in its queue for delay, and keeps the
// claim from lapsing before delay and lease are over. With a delay of 0 it only keeps
// the claim. An entry that does not queue for that job stays as it is.
func (e Entry) Defer(now time.Time, job string, delay, lease time.Duration) Entry {
	if !e.Queues() || e.Job != job {
		return e
	}
	if until := now.Add(delay + lease); e.Until.Before(until) {
		e.Until = until
	}
	if delay > 0 {
		e.Queueing = e.Queueing.delayed(now, now.Add(delay))
	}
	return e
}

// delayed returns q with another end of its delay; nil begins at now.
func (q *Queueing) delayed(now, until time.Time) *Queueing {
	next := Queueing{Since: now, DelayedTo: until}
	if q != nil {
		next.Since = q.Since
	}
	return &next
}
