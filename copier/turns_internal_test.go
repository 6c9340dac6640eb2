package copier

import (
	"context"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
)

// A long copy and its further connections leave the last turn of the host to others.
func TestConnectionsLeaveATurn(t *testing.T) {
	t.Parallel()
	h := newHosts(Limits{CopiesPerHost: 3}, zap.NewNop(), 1).visit("https://host.test")
	long := h.tryTurn(true)
	if long == nil || !h.tryConnection() {
		t.Fatal("a long copy has no two connections of three")
	}
	if h.tryConnection() || h.tryTurn(true) != nil {
		t.Error("a long copy or its connections take the last turn")
	}
	short := h.tryTurn(false)
	if short == nil || h.tryTurn(false) != nil {
		t.Fatal("there is not one turn left for others")
	}
	if short.lengthen() {
		t.Error("a copy becomes long in the last turn")
	}
	h.endConnection()
	if !short.lengthen() || h.turns.long != 2 {
		t.Error("a copy does not become long when a connection has ended")
	}
}

// Waiters get turns in the order in which they came, but for those that need a turn
// for a long copy while there is none. A waiter that gives up takes nothing with it.
func TestTheOrderOfTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHosts(Limits{CopiesPerHost: 2}, zap.NewNop(), 1).visit("https://host.test")
		long, short := h.tryTurn(true), h.tryTurn(false)
		order := make(chan string, 4)
		turns := make(map[string]*turn)
		wait := func(ctx context.Context, name string, isLong bool) {
			go func() {
				u, err := h.takeTurn(ctx, need{isLong: isLong}, new(uint64))
				if err == nil {
					turns[name] = u
					order <- name
				}
			}()
			synctest.Wait()
		}
		gone, leave := context.WithCancel(t.Context())
		wait(gone, "gone", true)
		wait(t.Context(), "long", true)
		wait(t.Context(), "first", false)
		wait(t.Context(), "second", false)
		leave()
		next := func(ended *turn, want string) {
			t.Helper()
			ended.end()
			ended.end() // does nothing
			if got := <-order; got != want {
				t.Errorf("the turn goes to %s, want %s", got, want)
			}
			if synctest.Wait(); len(order) > 0 {
				t.Errorf("another turn went to %s", <-order)
			}
		}
		next(short, "first")
		next(long, "long")
		next(turns["first"], "second")
		turns["long"].end()
		turns["second"].end()
		if h.turns.taken != 0 || h.turns.long != 0 || h.waiting != 0 || h.long != 0 {
			t.Errorf("at the end %d turns are taken, %d of them by long copies; %d and %d jobs wait",
				h.turns.taken, h.turns.long, h.waiting, h.long)
		}
	})
}

// A waiter that gives up when it gets its turn either has it, or has it no more.
func TestATurnThatComesTooLateIsGivenBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused := 0
	for range 100 {
		h := turns{limit: 1}
		err := h.wait(ctx, need{isLong: true}, new(uint64))
		if err != nil {
			refused++
		}
		if has := err == nil; has != (h.taken == 1) || has != (h.long == 1) {
			t.Fatalf("error %v, but %d turns are taken, %d of them long", err, h.taken, h.long)
		}
	}
	if refused == 0 {
		t.Error("no waiter gave up")
	}
}
