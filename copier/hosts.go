package copier

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/sony/gobreaker/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
)

// maxWaiting bounds the jobs that wait for the turns of their hosts.
const maxWaiting = 2048

// Manners say how a copier treats origin hosts. The zero value of a field is the
// default that stands behind it.
type Manners struct {
	CopiesPerHost int           // copies of one host at a time; 0: not bounded
	Failures      int           // objects of a host that fail in a row until it is left alone; 5
	OpenFor       time.Duration // how long it is then left alone before it is tried again; 30 s
	Remembered    int           // hosts that are kept although no job of theirs is in hand; 1024
}

func (m Manners) withDefaults() Manners {
	if m.Failures == 0 {
		m.Failures = 5
	}
	if m.OpenFor == 0 {
		m.OpenFor = 30 * time.Second
	}
	if m.Remembered == 0 {
		m.Remembered = 1024
	}
	return m
}

// hosts are the origin hosts that a copier knows. Those that tasks are about are
// held; of the others, the ones used last are remembered.
type hosts struct {
	manners Manners
	logger  *zap.Logger
	room    room

	mu   sync.Mutex
	used map[string]*host
	idle *simplelru.LRU[string, *host]
}

func newHosts(m Manners, logger *zap.Logger) *hosts {
	m = m.withDefaults()
	idle, err := simplelru.NewLRU[string, *host](m.Remembered, nil)
	if err != nil { // only a size that is not positive is refused
		panic(err)
	}
	return &hosts{
		manners: m, logger: logger, room: room{limit: maxWaiting},
		used: make(map[string]*host), idle: idle,
	}
}

// visit returns the host of a name. The caller must leave it.
func (hs *hosts) visit(name string) *host {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, found := hs.used[name]
	if !found {
		if h, found = hs.idle.Get(name); found {
			hs.idle.Remove(name)
		} else {
			h = hs.newHost(name)
		}
		hs.used[name] = h
	}
	h.users++
	return h
}

func (hs *hosts) leave(h *host) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h.users--; h.users == 0 {
		delete(hs.used, h.name)
		hs.idle.Add(h.name, h)
	}
}

func (hs *hosts) newHost(name string) *host {
	h := &host{name: name, limit: hs.manners.CopiesPerHost, room: &hs.room, logger: hs.logger, openFor: hs.manners.OpenFor}
	if h.limit > 0 {
		h.turns = semaphore.NewWeighted(int64(h.limit))
	}
	h.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1, // half-open: one copy at a time
		Timeout:       h.openFor,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= hs.manners.Failures },
		OnStateChange: h.changed,
		IsExcluded:    func(err error) bool { return errors.Is(err, errNeutral) },
	})
	return h
}

// paused returns how many hosts are left alone now.
func (hs *hosts) paused() int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	n := 0
	for _, h := range slices.AppendSeq(hs.idle.Values(), maps.Values(hs.used)) {
		if h.isPaused() {
			n++
		}
	}
	return n
}
