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
	extra int                 // connections beside the first ones of the copies that have slots
	slow  map[*place]struct{} // the slow pool

	handedBack time.Time // when a copy was handed back last for its memory
}

func newSlots(n, connections int, background *host) *slots {
	return &slots{
		taken: make(chan struct{}, max(1, n)), freed: make(chan struct{}, 1),
		connections: connections, background: background, slow: make(map[*place]struct{}),
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

// A place is a slot, or one of the slow pool, for one copy.
type place struct {
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

// occupy returns the place of a copy for which a slot was taken and, if no client waits
// for it, a turn of slots.background, which the place then ends. The caller calls leave
// when the copy has ended.
func (s *slots) occupy(handBack func(), behind *turn) *place {
	p := &place{slots: s, handBack: handBack, isBackground: behind != nil, behind: behind}
	p.pace = newPace(p.slowDown, p.speedUp)
	return p
}

func (p *place) leave() {
	p.pace.stop()
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	if p.isSlow {
		delete(p.slots.slow, p)
		return
	}
	p.isSlow = true // whatever the pace still has to say
	p.slots.free()
	if p.behind != nil {
		p.behind.end()
	}
}

// slowDown moves a copy from its slot to the slow pool. If that is full, the
// slowest is handed back, which may be the copy itself.
func (p *place) slowDown() {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.isSlow {
		return
	}
	if s.isFull() {
		slowest := p.slowest()
		slowest.evict()
		if slowest == p {
			return // its slot is free when it has ended
		}
	}
	p.moveToPool()
}

// moveToPool gives the slot of a copy to the next job. The caller holds the lock.
func (p *place) moveToPool() {
	p.isSlow = true
	p.slots.slow[p] = struct{}{}
	p.slots.extra -= p.extra
	p.slots.free()
	if p.behind != nil {
		p.behind.giveBack()
		p.behind = nil
	}
}

// isFull reports whether the slow pool is. The caller holds the lock.
func (s *slots) isFull() bool { return len(s.slow) >= slowPerSlot*cap(s.taken) }

// slowest returns the copy that brought least in the last minute, of p and the
// slow ones that wait for their origins at this moment. The caller holds the lock.
func (p *place) slowest() *place {
	slowest := p
	least, _ := p.pace.recently()
	for other := range p.slots.slow {
		if recent, waits := other.pace.recently(); waits && recent < least {
			slowest, least = other, recent
		}
	}
	return slowest
}

// evict hands a slow copy back. The caller holds the lock.
func (p *place) evict() {
	delete(p.slots.slow, p)
	p.handBack()
}

// speedUp moves a slow copy that became fast back to a slot, if one is free, and
// reports whether it did. Jobs that wait for a slot go first.
func (p *place) speedUp() bool {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.slow[p]; !found {
		return false
	}
	if !p.retakeSlot() {
		return false
	}
	delete(s.slow, p)
	p.isSlow = false
	s.extra += p.extra
	return true
}

// retakeSlot takes a slot for a slow copy if it may have one at once, and reports
// whether it did. The caller holds the lock.
func (p *place) retakeSlot() bool {
	if p.isBackground {
		if p.behind = p.slots.background.tryTurn(false); p.behind == nil {
			return false
		}
	}
	select {
	case p.slots.taken <- struct{}{}:
		return true
	default:
	}
	if p.behind != nil {
		p.behind.giveBack()
		p.behind = nil
	}
	return false
}

// tryConnection reports whether the copy may read over one more connection now. If
// so, the caller calls endConnection. Many copies at once keep the network busy
// without it, and a slow one has no use for it.
func (p *place) tryConnection() bool {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.isSlow || s.extra+1+len(s.taken) > max(cap(s.taken), s.connections) {
		return false
	}
	s.extra++
	p.extra++
	return true
}

func (p *place) endConnection() {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	p.extra--
	if !p.isSlow {
		p.slots.extra--
	}
}

// memory is what storage holds of its own for a copy, as far as its reads show.
type memory int

const (
	noMemory  memory = iota
	beginning        // for up to slowBytes, or already for all
	whole            // for as much as it takes to go on to the end
)

// awaitMemory says that storage may wait for memory before it reads on. From slowAfter
// on it has slow copies handed back that hold such memory, until gotMemory is called.
func (p *place) awaitMemory() {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	p.awaits = true
	if p.late == nil {
		p.late = time.AfterFunc(slowAfter, p.handBackForMemory)
		return
	}
	p.late.Reset(slowAfter)
}

// gotMemory says what storage holds for the copy, now that it reads or has ended.
func (p *place) gotMemory(holds memory) {
	p.slots.mu.Lock()
	defer p.slots.mu.Unlock()
	p.holds, p.awaits = holds, false
	p.late.Stop()
}

// handBackForMemory hands back the slowest copy that holds memory for which this one waits and
// was slow in the last minute, if there is one. While that goes on, this one gives
// its slot to the next job, which may need less memory.
func (p *place) handBackForMemory() {
	s := p.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.awaits {
		return
	}
	slowest, least := (*place)(nil), float64(recentlyEnough)
	for other := range s.slow {
		if recent, waits := other.pace.recently(); waits && other.holds > p.holds && recent < least {
			slowest, least = other, recent
		}
	}
	if slowest != nil {
		slowest.evict()
		s.handedBack = time.Now()
	}
	if !p.isSlow && time.Since(s.handedBack) < slowAfter && !s.isFull() {
		p.pace.setAside()
		p.moveToPool()
	}
	p.late.Reset(slowAfter)
}
