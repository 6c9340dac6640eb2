package rediscache

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror/cache"
)

func present(until time.Time) cache.Entry {
	return cache.Entry{
		State: cache.Present, Generation: "0", Until: until,
		Copy: cache.Copy{SizeBytes: 1, SHA256: strings.Clone(strings.Repeat("a", 64))},
	}
}

func longKey(i int) cache.Key { return cache.Key(fmt.Sprintf("{%052d}:s3:eu-west-1", i)) }

// Each case happens between the moment in which a read begins and the one in
// which what was read is kept.
func TestAReadInFlightWhenSomethingChangesIsNotKept(t *testing.T) {
	for _, test := range []struct {
		phrase  string
		between func(n *near)
		kept    bool
	}{
		{"nothing", func(*near) {}, true},
		{"the key changed", func(n *near) { n.forget("key") }, false},
		{"a flush", func(n *near) { n.forgetAll() }, false},
		{"changes went unheard, and are heard again", func(n *near) { n.prove(time.Time{}); n.forgetAll(); n.prove(time.Now()) }, false},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			n := newNear(1<<20, time.Hour)
			n.prove(time.Now())
			g := n.guard("key")
			test.between(n)
			n.keep("key", present(time.Now().Add(time.Hour)), g)
			if _, ok := n.recall("key", new(clock), false); ok != test.kept {
				t.Errorf("kept is %t, want %t", ok, test.kept)
			}
		})
	}
}

func TestWhatIsKeptIsShownWhileProofAndEntryHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNear(1<<20, time.Second), new(clock)
		n.keep("key", present(time.Now().Add(10*time.Second)), n.guard("key"))
		want := func(phrase string, want bool) {
			t.Helper()
			if _, ok := n.recall("key", c, false); ok != want {
				t.Errorf("%s: shown is %t, want %t", phrase, ok, want)
			}
		}
		want("without a proof", false)
		n.prove(time.Now())
		want("with a proof", true)
		time.Sleep(940 * time.Millisecond)
		want("before the proof is over", true)
		time.Sleep(20 * time.Millisecond)
		want("when the proof is over", false)
		n.prove(time.Now())
		want("with the next proof", true)
		n.prove(time.Time{})
		want("when the proof is taken back", false)
		time.Sleep(10 * time.Second)
		n.prove(time.Now())
		want("when the entry is over", false)
		c.learn(time.Now(), time.Now().Add(-time.Minute).UnixMicro())
		want("when it is not, by the server's clock", true)
	})
}

// A machine that was suspended wakes with a monotonic clock that stood still.
func TestProofsEndByTheWallClockToo(t *testing.T) {
	now := time.Now()
	p := proof{at: now, wall: now.Round(0).Add(-time.Minute)}
	if p.holds(now, time.Second) {
		t.Error("a proof of a minute ago holds")
	}
}

func TestOnlyPresentEntriesAreKept(t *testing.T) {
	n := newNear(1<<20, time.Hour)
	n.prove(time.Now())
	for _, state := range []cache.State{cache.Absent, cache.Queued, cache.Copying, cache.Failed, cache.Tombstone} {
		e := present(time.Now().Add(time.Hour))
		e.State = state
		n.keep("key", e, n.guard("key"))
		if _, ok := n.recall("key", new(clock), false); ok {
			t.Errorf("an entry that is %s is shown", state)
		}
	}
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	const bound, entries = 8 << 20, 100_000
	n := newNear(bound, time.Hour)
	n.prove(time.Now())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range entries {
		key := longKey(i)
		n.keep(key, present(time.Now().Add(time.Hour)), n.guard(key))
		n.recall(longKey(0), new(clock), false) // it stays in use
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	counted := n.sum(func(s *nearShard) int64 { return s.present.bytes })
	kept := n.sum(func(s *nearShard) int64 { return int64(s.present.items.Len()) })
	taken := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d entries, %d bytes counted, %d taken", kept, counted, taken)
	if counted > bound || counted < bound*3/4 {
		t.Errorf("%d bytes are counted, of at most %d", counted, bound)
	}
	if taken > bound*5/4 {
		t.Errorf("%d bytes are taken, of at most %d", taken, bound)
	}
	if _, ok := n.recall(longKey(0), new(clock), false); !ok {
		t.Error("an entry in use was dropped")
	}
	n.forgetAll()
	if counted := n.sum(func(s *nearShard) int64 { return s.present.bytes }); counted != 0 {
		t.Errorf("%d bytes are counted when all is forgotten", counted)
	}
	runtime.KeepAlive(n)
}

func TestARecallTakesNoMemory(t *testing.T) {
	n := newNear(1<<20, time.Hour)
	n.prove(time.Now())
	n.keep("key", present(time.Now().Add(time.Hour)), n.guard("key"))
	s := &Store{near: n}
	if got := testing.AllocsPerRun(100, func() {
		if _, ok := s.Recall("key"); !ok {
			t.Fatal("not kept")
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkRecall(b *testing.B) {
	n := newNear(1<<20, time.Hour)
	n.prove(time.Now())
	key := longKey(1)
	n.keep(key, present(time.Now().Add(time.Hour)), n.guard(key))
	s := &Store{near: n}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := s.Recall(key); !ok {
				b.Error("not kept")
			}
		}
	})
}
