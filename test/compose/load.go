package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"cloudmirror/test/lab"
)

const (
	clients  = 8
	thinking = 100 * time.Millisecond // between two requests of a client, on average
)

// A load is a number of clients that ask until it is stopped: three times of four
// for objects that have copies, else for new ones.
type load struct {
	stop context.CancelFunc
	wait sync.WaitGroup

	mu       sync.Mutex
	requests int
	failed   []error
}

// startLoad copies the known objects, and starts.
func (d *deployment) startLoad(ctx context.Context) (*load, error) {
	var known []item
	for range 5 {
		for _, region := range regions {
			i := newItem(region)
			known = append(known, i)
			if err := d.client.awaitCopy(ctx, i, 30*time.Second); err != nil {
				return nil, err
			}
		}
	}
	l := &load{}
	ctx, l.stop = context.WithCancel(ctx)
	for range clients {
		l.wait.Go(func() {
			for lab.Pause(ctx, rand.N(2*thinking)) == nil {
				i := known[rand.IntN(len(known))]
				if rand.IntN(4) == 0 {
					i = newItem(i.region)
				}
				_, err := d.client.get(context.WithoutCancel(ctx), i)
				l.note(err)
			}
		})
	}
	return l, nil
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if err != nil {
		l.failed = append(l.failed, err)
	}
}

// end stops the clients and returns an error if any request failed.
func (l *load) end() (requests int, err error) {
	l.stop()
	l.wait.Wait()
	if n := len(l.failed); n > 0 {
		return l.requests, fmt.Errorf("%d of %d requests failed, such as: %w", n, l.requests, l.failed[0])
	}
	if l.requests < clients {
		return l.requests, fmt.Errorf("there were %d requests only: nothing was tested", l.requests)
	}
	return l.requests, nil
}

// underLoad returns what a fault comes to, or else whether a request failed.
func (d *deployment) underLoad(ctx context.Context, fault func() error) error {
	l, err := d.startLoad(ctx)
	if err != nil {
		return err
	}
	err = fault()
	requests, failed := l.end()
	if err != nil {
		return err
	}
	if failed == nil {
		logf("    %d requests, none failed", requests)
	}
	return failed
}
