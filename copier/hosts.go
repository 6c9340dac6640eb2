package copier

import (
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.uber.org/zap"
)

// maxWaiting bounds the jobs that wait for the turns of their hosts.
const maxWaiting = 2048

// Limits say how a copier treats origin hosts. The zero value of a field is the
// default that stands behind it.
type Limits struct {
	CopiesPerHost int // copies that ask one scheme, host and port at a time; 0: not bounded
	Failures      int // objects of a host that fail in a row until it is paused; 5
	Remembered    int // hosts that are kept although no job of theirs is in hand, and as many that are paused; 1024
}

func (m Limits) withDefaults() Limits {
	if m.Failures == 0 {
		m.Failures = 5
	}
	if m.Remembered == 0 {
		m.Remembered = 1024
	}
	return m
}

// hosts are the origin hosts that a copier knows, by scheme, host and port. Those
// that tasks are about are held; of the others, the ones used last are remembered.
// Those that are paused are remembered apart: however many others jobs name, they
// stay paused.
type hosts struct {
	limits Limits
	logger *zap.Logger
	queue  waitBound

	// background stands for the slots that jobs may have for which no client waits.
	// Such a job waits for a turn of it as for one of a host.
	background *host

	mu      sync.Mutex
	used    map[string]*host
	idle    *simplelru.LRU[string, *host] // not paused when they were left
	resting *simplelru.LRU[string, *host] // paused when they were left
}

func newHosts(m Limits, logger *zap.Logger, backgroundSlots int) *hosts {
	m = m.withDefaults()
	hs := &hosts{
		limits: m, logger: logger, queue: waitBound{limit: maxWaiting},
		used: make(map[string]*host), idle: newHostLRU(m.Remembered), resting: newHostLRU(m.Remembered),
	}
	hs.background = &host{
		origin: "", limit: backgroundSlots, queue: &hs.queue, logger: logger, users: 1, isBackground: true,
		turns: &turns{limit: backgroundSlots},
	}
	return hs
}

// visitBackground returns background. The caller must leave it.
func (hs *hosts) visitBackground() *host {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.background.users++
	return hs.background
}

func newHostLRU(size int) *simplelru.LRU[string, *host] {
	lru, err := simplelru.NewLRU[string, *host](size, nil)
	if err != nil { // only a size that is not positive is refused
		panic(err)
	}
	return lru
}

// visit returns the host of an origin, such as https://example.com. The caller must
// leave it.
func (hs *hosts) visit(origin string) *host {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, found := hs.used[origin]
	if !found {
		if h = hs.recall(origin); h == nil {
			h = hs.newHost(origin)
		}
		hs.used[origin] = h
	}
	h.users++
	return h
}

// recall takes a host that no task is about out of the ones that are remembered, or
// returns nil. The caller holds the lock.
func (hs *hosts) recall(origin string) *host {
	for _, lru := range []*simplelru.LRU[string, *host]{hs.idle, hs.resting} {
		if h, found := lru.Get(origin); found {
			lru.Remove(origin)
			return h
		}
	}
	return nil
}

func (hs *hosts) leave(h *host) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(hs.used, h.origin)
		lru := hs.idle
		if h.isPaused() {
			lru = hs.resting
		}
		lru.Add(h.origin, h)
	}
}

func (hs *hosts) newHost(origin string) *host {
	h := &host{
		origin: origin, limit: hs.limits.CopiesPerHost, queue: &hs.queue, logger: hs.logger,
		health: newHealth(hs.limits.Failures),
	}
	if h.limit > 0 {
		h.turns = &turns{limit: h.limit}
	}
	return h
}

// paused returns how many hosts are paused now.
func (hs *hosts) paused() int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	n := 0
	for _, h := range slices.AppendSeq(hs.resting.Values(), maps.Values(hs.used)) {
		if h.isPaused() {
			n++
		}
	}
	return n
}
