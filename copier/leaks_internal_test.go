package copier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/queue"
)

// Whatever comes of copies and of their hops, at the end all turns, slots, and those
// in the slow pool are free, and no host is held.
func TestNothingIsHeldAfterRandomCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hs := newHosts(Limits{CopiesPerHost: 2, Failures: 1}, zap.NewNop(), 1)
		s := newSlots(1, 2, hs.background)
		var copies sync.WaitGroup
		for i := range 500 {
			copies.Go(func() { randomCopy(t, hs, s, rand.New(rand.NewPCG(1, uint64(i)))) }) //nolint:gosec // a test repeats itself
		}
		copies.Wait()
		for _, h := range slices.Concat(hs.idle.Values(), hs.resting.Values()) {
			if h.turns.taken != 0 || h.turns.long != 0 || h.turns.late != nil || h.waiting+h.long+h.behind != 0 || h.users != 0 {
				t.Errorf("%s: a turn is held, or %d jobs wait, or %d use it", h.origin, h.waiting, h.users)
			}
		}
		if n := hs.background.turns.count(); n != 0 || hs.background.users != 1 || hs.background.waiting != 0 {
			t.Errorf("%d jobs without a client have a turn, %d wait, %d users", n, hs.background.waiting, hs.background.users)
		}
		if len(hs.used) != 0 || hs.queue.count() != 0 || len(s.taken) != 0 || s.extra != 0 || s.slowCopies() != 0 {
			t.Errorf("%d hosts are held, %d jobs wait, %d slots, %d connections and %d slow places are taken",
				len(hs.used), hs.queue.count(), len(s.taken), s.extra, s.slowCopies())
		}
	})
}

// randomCopy does what a task does with its host, its slot and its visits.
func randomCopy(t *testing.T, hs *hosts, s *slots, random *rand.Rand) {
	pause(t.Context(), time.Duration(random.IntN(100))*time.Second)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(random.IntN(60_000))*time.Millisecond, errStopping)
	defer cancel()
	object := func() cloudmirror.Object {
		o, err := cloudmirror.ParseObject(fmt.Sprintf("https://host%d.test/%d", random.IntN(4), random.IntN(20)))
		if err != nil {
			t.Error(err)
		}
		return o
	}
	own := object()
	k := &task{Copier: &Copier{hosts: hs, slots: s}, cancel: func(error) {}, receiveMore: func() {}, numbers: make(map[*host]uint64), isLong: random.IntN(3) == 0}
	k.delivery.Job.Priority = queue.Priority(random.IntN(4))
	k.askToo(own.Origin())
	if k.isBackground() {
		k.asks = append(k.asks, hs.visitBackground())
	}
	if random.IntN(2) == 0 {
		k.askToo(object().Origin())
	}
	defer k.leaveHosts()
	if k.acquireSlot(ctx) != nil {
		return
	}
	defer k.releaseSlot()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	k.slot.handBack = func() { end(errSlowest) }
	slot := k.slot
	use, _ := k.asks[0].admit(own, random.IntN(2))
	if use == nil {
		return
	}
	v := newVisits(hs, queue.Job{Object: own}, use, k.turns)
	late := time.AfterFunc(longAfter, func() { v.overstay(end) })
	defer late.Stop()
	unreachable := &cloudmirror.Failure{Code: cloudmirror.CodeOriginUnreachable, Origin: object().Origin()}
	err := []error{nil, errStopping, unreachable, unreachable, unreachable}[random.IntN(5)]
	for range random.IntN(4) {
		leave, refused := v.enter(ctx, object())
		if refused != nil {
			err = refused
			break
		}
		randomReads(ctx, slot, random)
		leave()
	}
	if err == nil && random.IntN(3) == 0 {
		err = v.lengthen()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		err = context.Cause(ctx)
	}
	v.end(err)
}

// randomReads waits for the origin, for memory, and for another connection.
func randomReads(ctx context.Context, slot *slot, random *rand.Rand) {
	slot.awaitMemory()
	defer slot.gotMemory(noMemory)
	pause(ctx, time.Duration(random.IntN(5))*time.Second)
	slot.gotMemory(memory(random.IntN(3)))
	if slot.tryConnection() {
		defer slot.endConnection()
	}
	for range random.IntN(5) {
		slot.pace.wait()
		pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
		slot.pace.got(random.IntN(2 * slowBytes))
	}
}
