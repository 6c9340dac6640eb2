package memqueue

import (
	"slices"
	"time"
)

// A DeadLetter is a message that was buried.
type DeadLetter struct {
	Body     string
	Reason   string
	BuriedAt time.Time
}

// DeadLetters returns the dead letters that are kept, the oldest first.
func (q *Queue) DeadLetters() []DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.dead.letters)
}

// deadLetters keeps the newest letters, up to its capacity.
type deadLetters struct {
	capacity int
	letters  []DeadLetter
	dropped  uint64 // since the start
}

// add reports whether the oldest letter had to be dropped.
func (d *deadLetters) add(l DeadLetter) (dropped bool) {
	if len(d.letters) >= d.capacity {
		d.letters = slices.Delete(d.letters, 0, 1)
		d.dropped++
		dropped = true
	}
	d.letters = append(d.letters, l)
	return dropped
}
