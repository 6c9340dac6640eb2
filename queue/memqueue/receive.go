package memqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloudmirror/queue"
)

// Receive implements queue.Queue. Messages come roughly in the order in which
// they became ready.
func (q *Queue) Receive(ctx context.Context, limit int) ([]queue.Delivery, error) {
	end := time.Now().Add(q.options.WaitTime)
	for {
		if err := ctx.Err(); err != nil {
			q.passOn()
			return nil, fmt.Errorf("memqueue: receive: %w", err)
		}
		deliveries, wakeup, wait := q.take(limit, end)
		if len(deliveries) > 0 || wakeup == nil {
			return deliveries, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-wakeup:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		q.stopWaiting(wakeup)
	}
}

// take receives up to limit messages. If there are none, and the end is not
// reached, it registers the caller to be woken, and tells how long to wait at
// most: until the next message is due, or to the end.
func (q *Queue) take(limit int, end time.Time) (deliveries []queue.Delivery, wakeup chan struct{}, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.promote(now)
	for len(deliveries) < max(limit, 1) && q.ready.Len() > 0 {
		deliveries = append(deliveries, q.receive(q.ready.Front().Value.(*message)))
	}
	if len(deliveries) > 0 || !now.Before(end) {
		q.wake() // as in passOn
		return deliveries, nil, 0
	}
	wakeup = make(chan struct{}, 1)
	q.waiters = append(q.waiters, wakeup)
	if len(q.waiting) > 0 && q.waiting[0].due.Before(end) {
		end = q.waiting[0].due
	}
	return nil, wakeup, end.Sub(now)
}

// receive hides a ready message and returns its delivery.
func (q *Queue) receive(m *message) queue.Delivery {
	q.unplace(m)
	delete(q.receipts, m.receipt)
	m.receives++
	m.receipt = q.receipt()
	q.receipts[m.receipt] = m
	q.place(m, q.options.Visibility)
	return queue.Examine(queue.Delivery{Receives: m.receives, Receipt: m.receipt, Body: m.body}, q.options.MaxReceives)
}

// wake wakes the receiver that waits longest, if there is anything to receive
// now or later.
func (q *Queue) wake() {
	if len(q.waiters) == 0 || q.ready.Len()+len(q.waiting) == 0 {
		return
	}
	q.waiters[0] <- struct{}{}
	q.waiters = slices.Delete(q.waiters, 0, 1)
}

// passOn is called by a receiver that leaves. What is ready, or will be, needs
// another one that is awake, or whose timer is set to it.
func (q *Queue) passOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake()
}

// stopWaiting forgets a receiver that was perhaps not woken.
func (q *Queue) stopWaiting(wakeup chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiters, wakeup); i >= 0 {
		q.waiters = slices.Delete(q.waiters, i, i+1)
	}
}
