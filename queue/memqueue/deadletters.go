package memqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cloudmirror/queue"
)

var _ queue.DeadLetters = (*Queue)(nil)

// Letters implements queue.DeadLetters, the oldest letter first.
func (q *Queue) Letters(ctx context.Context, c queue.Choice) ([]queue.DeadLetter, error) {
	handled, err := q.handle(ctx, c, func(queue.DeadLetter) (gone bool, err error) { return false, nil })
	letters := make([]queue.DeadLetter, 0, len(handled))
	for _, h := range handled {
		letters = append(letters, h.Letter)
	}
	return letters, err
}

// Redrive implements queue.DeadLetters. A letter for whose job there is no room
// stays, with queue.ErrFull.
func (q *Queue) Redrive(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	handled, err := q.handle(ctx, c, func(l queue.DeadLetter) (gone bool, err error) {
		body, err := l.Resend()
		if err == nil {
			err = q.sendLocked(body, 0)
		}
		return err == nil, err
	})
	if err != nil {
		return handled, err
	}
	return append(handled, c.Missing(handled)...), nil
}

// Drop implements queue.DeadLetters.
func (q *Queue) Drop(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	handled, err := q.handle(ctx, c, func(queue.DeadLetter) (gone bool, err error) { return true, nil })
	if err != nil {
		return handled, err
	}
	return append(handled, c.Missing(handled)...), nil
}

// handle calls act, under the lock, with each chosen letter, and removes those
// that are gone by it.
func (q *Queue) handle(ctx context.Context, c queue.Choice, act func(queue.DeadLetter) (gone bool, err error)) ([]queue.Handled, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memqueue: dead letters: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var handled []queue.Handled
	kept := q.dead.letters[:0]
	for _, l := range q.dead.letters {
		if len(handled) == c.Most() || !c.All && !slices.Contains(c.IDs, l.ID) {
			kept = append(kept, l)
			continue
		}
		gone, err := act(l)
		handled = append(handled, queue.Handled{Letter: l, Err: err})
		if !gone {
			kept = append(kept, l)
		}
	}
	clear(q.dead.letters[len(kept):])
	q.dead.letters = kept
	return handled, nil
}

// deadLetters keeps the newest letters, up to its capacity.
type deadLetters struct {
	capacity int
	letters  []queue.DeadLetter
	buried   uint64 // since the start; numbers the letters
	dropped  uint64 // since the start, for want of room
}

// add reports whether the oldest letter had to be dropped.
func (d *deadLetters) add(m *message, reason string) (dropped bool) {
	if len(d.letters) >= d.capacity {
		d.letters = slices.Delete(d.letters, 0, 1)
		d.dropped++
		dropped = true
	}
	d.buried++
	l := queue.NewDeadLetter(strconv.FormatUint(d.buried, 10), m.body)
	l.Reason, l.BuriedAt, l.Receives = reason, time.Now(), m.receives
	d.letters = append(d.letters, l)
	return dropped
}
