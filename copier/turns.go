package copier

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"cloudmirror/queue"
)

// When a copy counts as long. At most all but one of a host's turns are held by long
// copies, so that a small object waits for none of them.
const (
	longBytes = 16 << 20         // by the length that the origin announces
	longAfter = 10 * time.Second // by the time since the copy began; twice that if half of it is there by then
)

// turns bound the copies that ask one host at a time. They are safe for concurrent
// use. Jobs get turns by their priority, and then in the order in which they came, but
// that one which needs a turn for a long copy lets others pass while there is none.
// After maxPassed turns for more urgent jobs, one goes to a job that waits behind them.
type turns struct {
	limit int

	mu      sync.Mutex
	taken   int
	long    int                 // of them, held by long copies and by further connections
	waiting [priorities]waiters // by priority
	came    uint64              // numbers the waiters
	late    *turn               // of a copy that became long while all long turns were taken; nil: none
}

// A line is a list of waiters by their numbers.
type line []*waiter

type waiter struct {
	number uint64 // lower ones first
	need   need
	got    chan struct{} // closed with the turn
}

// maxLong returns how many turns long copies may hold: of two or more all but one.
func (t *turns) maxLong() int { return max(1, t.limit-1) }

// has reports whether a turn is free. The caller holds the lock.
func (t *turns) has(isLong bool) bool {
	return t.taken < t.limit && (!isLong || t.long < t.maxLong())
}

// try takes a turn if one is free.
func (t *turns) try(isLong bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	// What is free has no waiter that could use it: release passes turns on.
	ok := t.has(isLong)
	if ok {
		t.take(isLong)
	}
	return ok
}

// take counts a turn. The caller holds the lock.
func (t *turns) take(isLong bool) {
	t.taken++
	if isLong {
		t.long++
	}
}

// wait takes a turn as soon as one is free. A job whose number is 0 gets one; with
// that it waits before all that came later, whenever it waits again. The error is ctx's.
func (t *turns) wait(ctx context.Context, n need, number *uint64) error {
	w := t.join(n, number)
	select {
	case <-w.got:
		return nil
	case <-ctx.Done():
	}
	if !t.quit(w) { // it got its turn meanwhile
		t.release(n.isLong)
	}
	return ctx.Err()
}

// join puts a waiter into its line, or gives it its turn at once. A copy that
// overstays its turn gives way.
func (t *turns) join(n need, number *uint64) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *number == 0 {
		t.came++
		*number = t.came
	}
	w := &waiter{number: *number, need: n, got: make(chan struct{})}
	line := t.line(n)
	i, _ := slices.BinarySearchFunc(*line, w, func(a, b *waiter) int { return cmp.Compare(a.number, b.number) })
	*line = slices.Insert(*line, i, w)
	t.pass()
	if t.late != nil && t.smallWaits() {
		t.late.giveWay()
		t.late = nil
	}
	return w
}

func (t *turns) line(n need) *line {
	lines := &t.waiting[min(n.priority, queue.Planned)].lines
	if n.isLong {
		return &lines[1]
	}
	return &lines[0]
}

// smallWaits reports whether a job waits that may be small. The caller holds the lock.
func (t *turns) smallWaits() bool {
	return slices.ContainsFunc(t.waiting[:], func(w waiters) bool { return len(w.lines[0]) > 0 })
}

// quit takes a waiter out of its line. It reports false if the waiter has its turn.
func (t *turns) quit(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.line(w.need)
	i := slices.Index(*line, w)
	if i >= 0 {
		*line = slices.Delete(*line, i, i+1)
	}
	return i >= 0
}

// release gives a turn back.
func (t *turns) release(isLong bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(isLong)
}

// put gives a turn back, and on to the next job. The caller holds the lock.
func (t *turns) put(isLong bool) {
	t.taken--
	if isLong {
		t.long--
	}
	if t.late != nil && t.makeLong(t.late) {
		t.late = nil
	}
	t.pass()
}

// pass gives turns that are free to the jobs that wait for them. The caller holds
// the lock.
func (t *turns) pass() {
	for next := t.next(); next != nil; next = t.next() {
		w := (*next)[0]
		(*next)[0], *next = nil, (*next)[1:]
		t.take(w.need.isLong)
		close(w.got)
	}
}

// count returns how many turns are taken.
func (t *turns) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}

// A turn lets one copy ask a host. It is safe for concurrent use.
type turn struct {
	host  *host
	began time.Time

	// These are guarded by host.turns.mu.
	isLong  bool
	isOver  bool
	giveWay func() // has the copy end, since others wait; it does not block
}

// lengthen makes the turn that of a long copy. It reports whether the host had a
// turn for one.
func (u *turn) lengthen() bool {
	t := u.host.turns
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return u.isLong || u.isOver || t.makeLong(u)
}

// makeLong is lengthen for a turn that is not long yet. The caller holds the lock.
func (t *turns) makeLong(u *turn) bool {
	if t.long >= t.maxLong() {
		return false
	}
	u.isLong = true
	t.long++
	return true
}

// overstay says that the copy takes long. If the host has no turn for a long one,
// the copy goes on only as long as no job waits that may be small: giveWay is called
// then.
func (u *turn) overstay(giveWay func()) {
	t := u.host.turns
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case u.isLong || u.isOver || t.makeLong(u):
	case t.smallWaits():
		giveWay()
	default:
		u.giveWay, t.late = giveWay, u
	}
}

// end gives the turn back, and counts what it took for the pace of the host. Further
// calls do nothing.
func (u *turn) end() {
	if u.giveBack() {
		u.host.measure(time.Since(u.began))
	}
}

// giveBack ends a turn that says nothing of how long copies take. It reports false
// if the turn had ended before.
func (u *turn) giveBack() bool {
	t := u.host.turns
	if t == nil {
		return false
	}
	u.host.freeTurn()
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.isOver {
		return false
	}
	u.isOver = true
	if t.late == u {
		t.late = nil
	}
	t.put(u.isLong)
	return true
}
