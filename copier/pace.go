package copier

import (
	"math"
	"sync"
	"time"
)

// When a copy is slow, and by what slow ones are compared. The time is that in
// which the copy waits for its origin, never for storage, memory or bandwidth.
const (
	slowAfter  = 2 * time.Second // without
	slowBytes  = 64 << 10        // since the copy began, or since its last piece of this size
	recentTime = time.Minute     // what came before it counts ever less

	// recentlyEnough is what a copy that is just not slow brings in recentTime.
	recentlyEnough = slowBytes * int(recentTime/slowAfter)
	// newcomerBytes is what a copy is taken to have brought before it began, so
	// that older ones that drip are slower than one whose origin takes a while.
	newcomerBytes = 8 * slowBytes
)

// A pace measures what a copy brings while it waits for its origin, in pieces of
// slowBytes. It is safe for concurrent use: a copy may read over several
// connections.
type pace struct {
	slowed  func()      // a piece takes longer than slowAfter
	hurried func() bool // a piece came in time again; reports whether slowed is to be called again

	mu     sync.Mutex
	alarm  *time.Timer // of slowed; nil until the first wait
	armed  bool        // the alarm is set
	isSlow bool

	waits  int           // reads and requests that wait for the origin now
	since  time.Time     // up to which their waiting is in waited
	waited time.Duration // for the piece under way
	bytes  int           // of it, so far
	recent float64       // bytes of the pieces before it, each counting less the longer ago it was
}

func newPace(slowed func(), hurried func() bool) *pace {
	return &pace{slowed: slowed, hurried: hurried, recent: newcomerBytes}
}

// wait says that the copy begins to wait for the origin. The caller calls got when
// the wait is over.
func (p *pace) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	p.waits++
	switch {
	case p.armed || p.isSlow:
	case p.alarm == nil:
		p.armed, p.alarm = true, time.AfterFunc(slowAfter, p.check)
	default:
		p.armed = true
		p.alarm.Reset(slowAfter - p.waited)
	}
}

// got says that a wait is over, and how many bytes it brought.
func (p *pace) got(n int) {
	if p.count(n) && p.hurried() {
		p.mu.Lock()
		p.isSlow = false
		p.mu.Unlock()
	}
}

// count counts what a wait brought. It reports whether a piece came in time of a
// copy that is slow.
func (p *pace) count(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	p.waits--
	p.bytes += n
	if p.bytes < slowBytes {
		return false
	}
	inTime := p.waited < slowAfter
	p.recent = p.fade() + float64(p.bytes)
	p.waited, p.bytes = 0, 0
	return inTime && p.isSlow
}

// measure adds the waiting up to now. The caller holds the lock.
func (p *pace) measure() {
	now := time.Now()
	if p.waits > 0 {
		p.waited += now.Sub(p.since)
	}
	p.since = now
}

// fade returns what the pieces before the one under way count now. The caller
// holds the lock.
func (p *pace) fade() float64 { return p.recent * math.Exp(-p.waited.Seconds()/recentTime.Seconds()) }

// check calls slowed if the piece under way takes too long. The alarm is left
// alone while bytes come: so a read costs no timer.
func (p *pace) check() {
	if p.isLate() {
		p.slowed()
	}
}

func (p *pace) isLate() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	switch {
	case p.waits == 0:
		p.armed = false
	case p.waited < slowAfter:
		p.alarm.Reset(slowAfter - p.waited)
	default:
		p.armed, p.isSlow = false, true
		return true
	}
	return false
}

// setAside says that the copy gave up its slot for another reason than its origin: it
// gets one back like a slow copy, and is taken to have been just not slow.
func (p *pace) setAside() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isSlow, p.waited, p.bytes, p.recent = true, 0, 0, float64(recentlyEnough)
}

// recently returns about how many bytes came in the last minute of waiting, and
// whether the copy waits for its origin now.
func (p *pace) recently() (bytes float64, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.measure()
	return p.fade() + float64(p.bytes), p.waits > 0
}

// stop ends the alarm.
func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alarm != nil {
		p.alarm.Stop()
	}
}
