package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	clients  = 32
	thinking = 500 * time.Millisecond // between two requests of a client, on average
)

// A load is a number of clients that ask again and again until it is stopped.
type load struct {
	d     *deployment
	name  string
	begun time.Time
	stop  context.CancelFunc
	wait  sync.WaitGroup

	mu      sync.Mutex
	records []record
}

// startLoad starts the clients. Its new objects bear its name.
func startLoad(ctx context.Context, d *deployment, name string) *load {
	stopping, stop := context.WithCancel(ctx)
	l := &load{d: d, name: name, begun: time.Now(), stop: stop}
	c := newClient(d)
	for range clients {
		l.wait.Go(func() {
			for pause(stopping, rand.N(2*thinking)) == nil {
				l.note(c.get(ctx, pick(name, time.Since(l.begun))))
			}
		})
	}
	return l
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
