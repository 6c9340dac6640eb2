package copier

import (
	"context"
	"errors"
	"sync"

	"cloudmirror/presence"
)

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

// takePlace waits for a turn of each host that the copy asks, as far as they are
// known, and then for a slot: a job that waits for a busy host must not keep others
// from working. The error is errCrowded, or ctx's; if there is none, the caller calls
// makeWay.
func (t *task) takePlace(ctx context.Context) error {
	turns, err := t.takeTurns(ctx)
	if err != nil {
		return err
	}
	if !t.slots.take(ctx) {
		giveBack(turns)
		return ctx.Err()
	}
	t.placed()
	t.turns, t.place = turns, t.slots.occupy(func() { t.cancel(errSlowest) })
	t.makeWay = sync.OnceFunc(func() {
		t.place.leave()
		for _, u := range turns {
			u.end()
		}
	})
	return nil
}

// takeTurns waits for a turn of each host that the copy asks. It holds no turn while
// it waits for one: two hosts that redirect to each other would wait for ever.
func (t *task) takeTurns(ctx context.Context) ([]*turn, error) {
	defer t.activity.set("", nil)
	for awaited := 0; ; {
		t.activity.set(presence.WaitsForHost, t.asks[awaited])
		u := t.asks[awaited].tryTurn(t.isLong)
		if u == nil {
			t.placed()
			var err error
			if u, err = t.asks[awaited].takeTurn(ctx, t.isLong); err != nil {
				return nil, err
			}
		}
		turns := make([]*turn, len(t.asks))
		turns[awaited] = u
		busy := t.tryTurns(turns)
		if busy < 0 {
			return turns, nil
		}
		giveBack(turns)
		awaited = busy
	}
}

// tryTurns takes the turns that are missing. It returns the index of a host that has
// none, or -1.
func (t *task) tryTurns(turns []*turn) (busy int) {
	for i, h := range t.asks {
		if turns[i] == nil {
			turns[i] = h.tryTurn(t.isLong)
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

// waitFor gives place and turns back, and takes them again when the host has a turn
// that refused the copy. The error is why, if too many jobs wait for it, errStopping,
// or the cause by which ctx ended. It has a place to give back in any case.
func (t *task) waitFor(ctx, stopping context.Context, why *refusedError) error {
	t.makeWay()
	t.read.Store(0)
	t.askToo(why.origin)
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(stopping, cancel)
	defer stop()
	switch err := t.takePlace(waiting); {
	case errors.Is(err, errCrowded):
		return why
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errStopping
	}
	return nil
}
