package copier

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"cloudmirror/presence"
)

// How the rate of a copy is measured: over the samples of the last 10 s that calls of
// Copies took, at least a second apart.
const (
	rateTime  = 10 * time.Second
	rateEvery = time.Second
)

// Copies returns what the copier does with the jobs that it holds, those first that
// it has held longest, at most presence.MaxCopies. Jobs that wait for a slot or for an
// acknowledgement are not among them. It is safe for concurrent use.
func (c *Copier) Copies() []presence.Copy {
	tasks := c.held.list()
	slices.SortFunc(tasks, func(a, b *task) int {
		return cmp.Or(a.received.Compare(b.received), cmp.Compare(a.delivery.Job.ID, b.delivery.Job.ID))
	})
	var copies []presence.Copy
	for _, t := range tasks {
		if len(copies) == presence.MaxCopies {
			break
		}
		if told, ok := t.describe(); ok {
			copies = append(copies, told)
		}
	}
	return copies
}

// held are the tasks of a copier. They are safe for concurrent use; the zero value
// has none.
type held struct {
	mu    sync.Mutex
	tasks map[*task]struct{}
}

// add adds a task. The caller removes it.
func (h *held) add(t *task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tasks == nil {
		h.tasks = make(map[*task]struct{})
	}
	h.tasks[t] = struct{}{}
}

func (h *held) remove(t *task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tasks, t)
}

func (h *held) list() []*task {
	h.mu.Lock()
	defer h.mu.Unlock()
	tasks := make([]*task, 0, len(h.tasks))
	for t := range h.tasks {
		tasks = append(tasks, t)
	}
	return tasks
}

// An activity is what a task does at the moment. It is safe for concurrent use; the
// zero value is nothing that Copies tells of.
type activity struct {
	mu      sync.Mutex
	state   presence.CopyState // "": nothing
	since   time.Time
	host    *host    // that is asked, or waited for
	samples []sample // of the bytes of a copy, the oldest first
}

type sample struct {
	at    time.Time
	bytes int64
}

// set notes what the task does from now on, and with which host. A state that stays
// keeps its beginning.
func (a *activity) set(state presence.CopyState, h *host) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != state {
		a.state, a.since = state, time.Now()
		a.samples = []sample{{at: a.since}}
	}
	a.host = h
}

// rate returns how many bytes a second came in the last 10 s or so, and notes how
// many have come. The caller holds the lock.
func (a *activity) rate(now time.Time, bytes int64) int64 {
	for len(a.samples) > 1 && now.Sub(a.samples[1].at) >= rateTime {
		a.samples = slices.Delete(a.samples, 0, 1)
	}
	first, last := a.samples[0], a.samples[len(a.samples)-1]
	if now.Sub(last.at) >= rateEvery {
		a.samples = append(a.samples, sample{at: now, bytes: bytes})
	}
	if passed := now.Sub(first.at); passed > 0 {
		return max(0, int64(float64(bytes-first.bytes)/passed.Seconds()))
	}
	return 0
}

// describe returns what the task does. It reports false if that is nothing that Copies
// tells of.
func (t *task) describe() (presence.Copy, bool) {
	a := &t.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == "" {
		return presence.Copy{}, false
	}
	told := presence.Copy{
		Object: t.delivery.Job.Object.Hash(), Backend: t.backend.ID.String(), State: a.state, Since: a.since,
		Host: a.host.origin, MaxTurns: a.host.limit, TotalBytes: t.total.Load(),
	}
	if a.host.turns != nil {
		told.Turns = a.host.turns.count()
	}
	if a.state == presence.Copying {
		told.DoneBytes = t.read.Load()
		told.BytesPerSecond = a.rate(time.Now(), told.DoneBytes)
	}
	return told, true
}
