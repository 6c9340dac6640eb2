package copier

import (
	"context"
	"sync"
	"time"
)

// slowPerSlot is how many slow copies may run for each slot. Each costs a
// connection, its goroutines, 64 KiB, and the heartbeat of its job. With the default
// of 16 slots there are 64: the 8 copies at a time of 8 slow hosts.
const slowPerSlot = 4

// slots bound the copies that run at a time: those that have a slot, for which
// jobs wait, and beside them the slow ones (pace.go) and those that wait for the
// memory of slow ones. They are safe for concurrent use.
type slots struct {
	taken       chan struct{} // one element for each copy that has a slot
	freed       chan struct{} // has an element if a slot was freed since gather looked last
	connections int           // over which one copy may read
	background  *host         // hosts.background

	mu    sync.Mutex
	extra int                // connections beside the first ones of the copies that have slots
	slow  map[*slot]struct{} // the slow pool

	handedBack time.Time // when a copy was handed back last for its memory
}

func newSlots(n, connections int, background *host) *slots {
	return &slots{
		taken: make(chan struct{}, max(1, n)), freed: make(chan struct{}, 1),
		connections: connections, background: background, slow: make(map[*slot]struct{}),
	}
}

// await waits until a copy could begin, without reserving the slot: a backend
// without jobs must not keep others from working. It reports whether ctx is still
// alive.
//
// If there is one slot, and a job has it for which no client waits, a client's job may
// be the next message.
func (s *slots) await(ctx context.Context) bool {
	if cap(s.taken) == 1 && s.background.turns.count() > 0 {
		return ctx.Err() == nil
	}
	if !s.take(ctx) {
		return false
	}
	s.free()
	return true
}

// gather returns for how many messages there are slots: for maxReceive, unless
// copies take so long that there are only fewer for a while.
func (s *slots) gather(ctx context.Context) int {
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	others := cap(s.taken) - s.background.turns.count() // slots that copies may have for which clients wait
	for wanted, waiting := min(maxReceive, others), true; ; {
		free := min(cap(s.taken)-len(s.taken), wanted)
		if free == wanted || !waiting {
			return max(1, free)
		}
		select {
		case <-s.freed:
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
}

// take waits for a slot. It reports false if ctx ended first.
func (s *slots) take(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s.taken <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *slots) free() {
	<-s.taken
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// slowCopies returns how many copies are in the slow pool.
func (s *slots) slowCopies() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.slow)
}

// A slot is what one copy has: a slot for which jobs wait or, while the copy is slow,
// one of the slow pool.
type slot struct {
	slots        *slots
	pace         *pace
	handBack     func() // has the copy end and its job given back; it does not block
	isBackground bool   // no client waits for the copy

	// These are guarded by slots.mu.
	isSlow bool  // left its slot
	behind *turn // of slots.background; nil: it is not in the background, or left its slot
	extra  int   // connections beside the first one
	holds  memory
	awaits bool        // more memory than it holds
	late   *time.Timer // of handBackForMemory; nil until memory was awaited
}

// occupy returns the slot of a copy for which one was taken and, if no client waits for
// the copy, a turn of slots.background, which leave ends. The caller calls leave when the
// copy has ended.
func (s *slots) occupy(handBack func(), behind *turn) *slot {
	sl := &slot{slots: s, handBack: handBack, isBackground: behind != nil, behind: behind}
	sl.pace = newPace(sl.slowDown, sl.speedUp)
	return sl
}

func (sl *slot) leave() {
	sl.pace.stop()
	sl.slots.mu.Lock()
	defer sl.slots.mu.Unlock()
	if sl.isSlow {
		delete(sl.slots.slow, sl)
		return
	}
	sl.isSlow = true // whatever the pace still has to say
	sl.slots.free()
	if sl.behind != nil {
		sl.behind.end()
	}
}

// slowDown moves a copy from its slot to the slow pool. If that is full, one copy is
// handed back, which may be the copy itself.
func (sl *slot) slowDown() {
	s := sl.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.isSlow {
		return
	}
	if s.isFull() {
		back := sl.mostDispensable()
		back.requeue()
		if back == sl {
			return // its slot is free when it has ended
		}
	}
	sl.moveToPool()
}

// moveToPool gives the slot of a copy to the next job. The caller holds the lock.
func (sl *slot) moveToPool() {
	sl.isSlow = true
	sl.slots.slow[sl] = struct{}{}
	sl.slots.extra -= sl.extra
	sl.slots.free()
	if sl.behind != nil {
		sl.behind.giveBack()
		sl.behind = nil
	}
}

// isFull reports whether the slow pool is. The caller holds the lock.
func (s *slots) isFull() bool { return len(s.slow) >= slowPerSlot*cap(s.taken) }

// mostDispensable returns the copy to hand back, of sl and the slow ones that wait for
// their origins at this moment. The caller holds the lock.
func (sl *slot) mostDispensable() *slot {
	chosen := sl
	least, _ := sl.pace.recently()
	for other := range sl.slots.slow {
		if recent, waits := other.pace.recently(); waits && other.goesBefore(chosen, recent, least) {
			chosen, least = other, recent
		}
	}
	return chosen
}

// goesBefore reports whether a copy is handed back before another one: if no client waits
// for it, but for the other, or else if it brought less in the last minute.
func (sl *slot) goesBefore(other *slot, recent, ofOther float64) bool {
	if sl.isBackground != other.isBackground {
		return sl.isBackground
	}
	return recent < ofOther
}

// requeue has a slow copy end and its job given back to the queue. The caller holds the lock.
func (sl *slot) requeue() {
	delete(sl.slots.slow, sl)
	sl.handBack()
}

// speedUp moves a slow copy that became fast back to a slot, if one is free, and
// reports whether it did. Jobs that wait for a slot go first.
func (sl *slot) speedUp() bool {
	s := sl.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.slow[sl]; !found {
		return false
	}
	if !sl.retakeSlot() {
		return false
	}
	delete(s.slow, sl)
	sl.isSlow = false
	s.extra += sl.extra
	return true
}

// retakeSlot takes a slot for a slow copy if it may have one at once, and reports
// whether it did. The caller holds the lock.
func (sl *slot) retakeSlot() bool {
	if sl.isBackground {
		if sl.behind = sl.slots.background.tryTurn(false); sl.behind == nil {
			return false
		}
	}
	select {
	case sl.slots.taken <- struct{}{}:
		return true
	default:
	}
	if sl.behind != nil {
		sl.behind.giveBack()
		sl.behind = nil
	}
	return false
}

// tryConnection reports whether the copy may read over one more connection now. If
// so, the caller calls endConnection. Many copies at once keep the network busy
// without it, and a slow one has no use for it.
func (sl *slot) tryConnection() bool {
	s := sl.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.isSlow || s.extra+1+len(s.taken) > max(cap(s.taken), s.connections) {
		return false
	}
	s.extra++
	sl.extra++
	return true
}

func (sl *slot) endConnection() {
	sl.slots.mu.Lock()
	defer sl.slots.mu.Unlock()
	sl.extra--
	if !sl.isSlow {
		sl.slots.extra--
	}
}
