package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror/test/lab"
)

const (
	clients  = 32
	thinking = 500 * time.Millisecond // between two requests of a client, on average
)

// A load is a number of clients that ask again and again until it is stopped.
type load struct {
	d        *deployment
	scenario scenario
	name     string // of its new objects
	begun    time.Time
	stop     context.CancelFunc
	wait     sync.WaitGroup
	// onlyKnown makes clients ask for objects that have copies.
	onlyKnown atomic.Bool

	mu      sync.Mutex
	records []record
}

func newLoad(d *deployment, s scenario) *load {
	return &load{d: d, scenario: s, name: s.name + "-" + time.Now().Format("150405"), stop: func() {}}
}

// start starts the clients, unless the scenario wants none.
func (l *load) start(ctx context.Context) {
	l.begun = time.Now()
	if l.scenario.quiet {
		return
	}
	var stopping context.Context
	stopping, l.stop = context.WithCancel(ctx)
	c := newClient(l.d)
	for range clients {
		l.wait.Go(func() {
			for lab.Pause(stopping, rand.N(2*thinking)) == nil {
				l.note(c.get(ctx, l.pick()))
			}
		})
	}
}

// pick chooses what a client asks for next.
func (l *load) pick() item {
	for {
		i := pick(l.name, time.Since(l.begun))
		isNew, isBig := i.kind == fresh || i.kind == freshBig, i.kind == big || i.kind == freshBig
		if (!isNew || !l.onlyKnown.Load()) && (!isBig || !l.scenario.small) {
			return i
		}
	}
}

// also lets some clients ask for one object at once, beside the load.
func (l *load) also(ctx context.Context, n int, i item) {
	c := newClient(l.d)
	for range n {
		l.wait.Go(func() { l.note(c.get(ctx, i)) })
	}
}

// end lets the clients finish what they asked for, and returns all records.
func (l *load) end() []record {
	l.stop()
	l.wait.Wait()
	return l.snapshot()
}

func (l *load) note(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

func (l *load) snapshot() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]record(nil), l.records...)
}

// retried counts requests whose connection to us broke and that were sent again.
func (l *load) retried() int {
	r := result{records: l.snapshot()}
	return r.retried()
}
