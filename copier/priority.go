package copier

import "cloudmirror/queue"

// Jobs for which no client waits, warm ones and planned ones, get at most half of the
// slots: each has a turn of hosts.background besides those of its hosts. In the lines
// for turns, the more urgent job goes first.

// backgroundSlots returns how many of n slots jobs may have for which no client waits.
func backgroundSlots(n int) int { return max(1, n/2) }

// backgroundAsk is the index of hosts.background among the hosts that a job asks for
// which no client waits: behind its object's own.
const backgroundAsk = 1

// isBackground reports whether no client waits for the copy.
func (t *task) isBackground() bool { return t.delivery.Job.Priority != queue.Waiting }

// need returns what the copy needs of a host.
func (t *task) need(h *host) need {
	return need{isLong: t.isLong && !h.isBackground, priority: t.delivery.Job.Priority}
}

const (
	priorities = int(queue.Planned) + 1
	maxPassed  = 8 // turns that go to more urgent jobs while one waits that could use them
)

// A need is what a job waits for a turn with.
type need struct {
	isLong   bool // the turn is for a long copy
	priority queue.Priority
}

// waiters are the jobs of one priority that wait.
type waiters struct {
	lines  [2]line // first jobs of any length, then those that are known to be long
	passed int     // turns that went to more urgent jobs since one of these got a turn
}

// next returns the line whose first job gets a turn that is free, or nil: the most
// urgent one, unless maxPassed turns went past a less urgent one. The caller holds the
// lock, and gives the turn to that job.
func (t *turns) next() (next *line) {
	chosen := 0
	for p := range t.waiting {
		first := t.first(p)
		if first == nil {
			continue
		}
		if next == nil || t.waiting[p].passed >= maxPassed {
			next, chosen = first, p
		}
		t.waiting[p].passed++
	}
	t.waiting[chosen].passed = 0
	return next
}

// first returns the line of the job of a priority that came first, of those that can
// use what is free, or nil. The caller holds the lock.
func (t *turns) first(priority int) (first *line) {
	for i := range t.waiting[priority].lines {
		line := &t.waiting[priority].lines[i]
		if len(*line) > 0 && t.has((*line)[0].need.isLong) && (first == nil || (*line)[0].number < (*first)[0].number) {
			first = line
		}
	}
	return first
}

// oweTurn has the next turn that is free go to a job of a priority: one gave its turn
// back before it could use it, and waits for what it lacks. Else it would let more urgent
// jobs pass again each time.
func (h *host) oweTurn(p queue.Priority) {
	if h.turns == nil || h.isBackground { // half of the slots go round fast enough
		return
	}
	h.turns.mu.Lock()
	defer h.turns.mu.Unlock()
	h.turns.waiting[min(p, queue.Planned)].passed = maxPassed
}
