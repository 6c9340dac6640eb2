package copier

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cloudmirror/presence"
)

// maxIdle is how long a job keeps turns of hosts while it waits for that of another one.
const maxIdle = 10 * time.Second

// askToo notes that the copy asks a host, such as https://example.com, and returns
// it. The caller calls leaveHosts at the end.
func (t *task) askToo(origin string) *host {
	for _, h := range t.asks {
		if h.origin == origin {
			return h
		}
	}
	h := t.hosts.visit(origin)
	t.asks = append(t.asks, h)
	return h
}

func (t *task) leaveHosts() {
	for _, h := range t.asks {
		t.hosts.leave(h)
	}
}

// acquireSlot waits for a turn of each host that the copy asks, as far as they are
// known, and then for a slot: a job that waits for a busy host must not keep others
// from working. The error is a *crowdedError, or ctx's; if there is none, the caller
// calls releaseSlot.
func (t *task) acquireSlot(ctx context.Context) error {
	turns, err := t.acquireTurns(ctx)
	if err != nil {
		return err
	}
	if !t.slots.take(ctx) {
		giveBack(turns)
		return ctx.Err()
	}
	t.receiveMore()
	var behind *turn
	if t.isBackground() {
		behind = turns[backgroundAsk]
		turns = slices.Delete(turns, backgroundAsk, backgroundAsk+1)
	}
	t.turns, t.slot = turns, t.slots.occupy(func() { t.cancel(errSlowest) }, behind)
	t.releaseSlot = sync.OnceFunc(func() {
		t.slot.leave()
		for _, u := range turns {
			u.end()
		}
	})
	return nil
}

// acquireTurns waits for a turn of each host that the copy asks. A job for which no
// client waits has one of hosts.background before it waits for another.
func (t *task) acquireTurns(ctx context.Context) ([]*turn, error) {
	defer t.activity.set("", nil)
	turns := make([]*turn, len(t.asks))
	first := 0
	if t.isBackground() {
		first = backgroundAsk
	}
	for busy := first; busy >= 0; busy = t.tryTurns(turns) {
		if err := t.awaitTurn(ctx, turns, busy); err != nil {
			giveBack(turns)
			return nil, err
		}
	}
	return turns, nil
}

// awaitTurn waits for a turn of one host. The job gives its other turns back first: a
// host must not wait for another one. But a job that waits there again, and so before
// all that came later, keeps some for 10 s or a little longer: else it would never have
// all at once while many jobs wait for each of its hosts. It keeps those of hosts that
// come before this one by their names, so that no two jobs wait for each other.
func (t *task) awaitTurn(ctx context.Context, turns []*turn, i int) (err error) {
	h, n := t.asks[i], t.need(t.asks[i])
	if h.isBackground {
		t.activity.set("", nil)
	} else {
		t.activity.set(presence.WaitsForHost, h)
	}
	if turns[i] = h.tryTurn(n.isLong); turns[i] != nil {
		return nil
	}
	t.receiveMore()
	number := t.numbers[h]
	defer func() { t.numbers[h] = number }()
	if number > 0 {
		t.giveBackFrom(h.origin, turns)
		keeping, cancel := context.WithTimeout(ctx, later(maxIdle))
		defer cancel()
		if turns[i], err = h.takeTurn(keeping, n, &number); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	t.giveBackFrom("", turns)
	turns[i], err = h.takeTurn(ctx, n, &number)
	return err
}

// giveBackFrom gives back the turns of hosts that do not come before an origin.
func (t *task) giveBackFrom(origin string, turns []*turn) {
	for i, h := range t.asks {
		if turns[i] != nil && h.origin >= origin {
			turns[i].giveBack()
			if t.numbers[h] > 0 { // it has waited for the turn
				h.oweTurn(t.delivery.Job.Priority)
			}
			turns[i] = nil
		}
	}
}

// tryTurns takes the turns that are missing. It returns the index of a host that has
// none, or -1.
func (t *task) tryTurns(turns []*turn) (busy int) {
	for i, h := range t.asks {
		if turns[i] == nil {
			turns[i] = h.tryTurn(t.need(h).isLong)
		}
		if turns[i] == nil {
			return i
		}
	}
	return -1
}

// giveBack ends turns of a copy that was not begun.
func giveBack(turns []*turn) {
	for _, u := range turns {
		if u != nil {
			u.giveBack()
		}
	}
}

// waitForRefusingHost gives the slot and the turns back, and takes them again when the host
// that refused the copy has a turn. The error is why, if too many jobs wait for it,
// errStopping, or the cause by which ctx ended. In any case there is a slot to give
// back.
func (t *task) waitForRefusingHost(ctx, stopping context.Context, why *refusedError) error {
	t.releaseSlot()
	t.read.Store(0)
	t.askToo(why.origin)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(stopping, cancel)
	defer stop()
	err := t.acquireSlot(waiting)
	_, isCrowded := errors.AsType[*crowdedError](err)
	switch {
	case isCrowded:
		return why
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errStopping
	}
	return nil
}
