package copier

import "time"

// memory is what storage holds of its own for a copy, as far as its reads show.
type memory int

const (
	noMemory  memory = iota
	beginning        // for up to slowBytes, or already for all
	whole            // for as much as it takes to go on to the end
)

// awaitMemory says that storage may wait for memory before it reads on. From slowAfter
// on it has slow copies handed back that hold such memory, until gotMemory is called.
func (sl *slot) awaitMemory() {
	sl.slots.mu.Lock()
	defer sl.slots.mu.Unlock()
	sl.awaits = true
	if sl.late == nil {
		sl.late = time.AfterFunc(slowAfter, sl.handBackForMemory)
		return
	}
	sl.late.Reset(slowAfter)
}

// gotMemory says what storage holds for the copy, now that it reads or has ended.
func (sl *slot) gotMemory(holds memory) {
	sl.slots.mu.Lock()
	defer sl.slots.mu.Unlock()
	sl.holds, sl.awaits = holds, false
	sl.late.Stop()
}

// handBackForMemory hands back a copy that holds memory for which this one waits and was
// slow in the last minute, if there is one. While that goes on, this one gives its slot
// to the next job, which may need less memory.
func (sl *slot) handBackForMemory() {
	s := sl.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sl.awaits {
		return
	}
	var chosen *slot
	var least float64
	for other := range s.slow {
		recent, waits := other.pace.recently()
		if !waits || other.holds <= sl.holds || recent >= float64(recentlyEnough) {
			continue
		}
		if chosen == nil || other.goesBefore(chosen, recent, least) {
			chosen, least = other, recent
		}
	}
	if chosen != nil {
		chosen.requeue()
		s.handedBack = time.Now()
	}
	if !sl.isSlow && time.Since(s.handedBack) < slowAfter && !s.isFull() {
		sl.pace.setAside()
		sl.moveToPool()
	}
	sl.late.Reset(slowAfter)
}
