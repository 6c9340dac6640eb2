package rediscache

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
)

func nothing() cache.Snapshot {
	return cache.NewSnapshot(cache.Entry{State: cache.Absent}, "", time.Now())
}

func shownAbsent() cache.Entry {
	return cache.Entry{State: cache.Absent, Generation: cloudmirror.FirstGeneration, PurgedUntil: time.Unix(1, 0)}
}

// An absence is shown from when storage was found to have nothing.
func TestAnAbsenceIsShownForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, c := newNear(1<<20, time.Hour), new(clock)
		n.prove(time.Now())
		want := func(phrase string, want bool) {
			t.Helper()
			at, ok := n.recall("key", c, true)
			if ok != want || ok && (*at.Entry != shownAbsent() || !at.Now.Equal(time.Now())) {
				t.Errorf("%s: shown is %t, %+v, want %t", phrase, ok, at, want)
			}
			if _, ok := n.recall("key", c, false); ok {
				t.Errorf("%s: it is shown to callers who ask for present entries", phrase)
			}
		}
		at := nothing()
		n.noteAbsent("key", at, shownAbsent())
		want("what was not kept", false)
		n.keepAbsence("key", at, n.guard("key"))
		want("when only Redis was asked", false)
		n.noteAbsent("key", at, shownAbsent())
		want("when it was noted", true)
		time.Sleep(absenceLife - time.Millisecond)
		want("before its second is over", true)
		time.Sleep(time.Millisecond)
		want("when its second is over", false)
		n.keepAbsence("key", nothing(), n.guard("key"))
		want("when Redis was asked again", false)
		n.noteAbsent("key", nothing(), shownAbsent())
		want("when it was noted again", true)
		n.prove(time.Time{})
		want("when the proof is taken back", false)
	})
}

// Each case happens while a key is read, while storage is looked at, or after that.
func TestAChangeEndsAnAbsence(t *testing.T) {
	for _, test := range []struct {
		phrase string
		event  func(n *near)
		shown  bool
	}{
		{"nothing", func(*near) {}, true},
		{"another key's change", func(n *near) { n.forget("other") }, true},
		{"the key changed", func(n *near) { n.forget("key") }, false},
		{"a flush", func(n *near) { n.forgetAll() }, false},
		{"changes went unheard, and are heard again", func(n *near) { n.prove(time.Time{}); n.forgetAll(); n.prove(time.Now()) }, false},
		{"a copy was read", func(n *near) { n.keep("key", present(time.Now().Add(time.Hour)), n.guard("key")); n.forget("key") }, false},
		{"the key changed and is absent again", func(n *near) {
			n.forget("key")
			time.Sleep(time.Millisecond)
			n.keepAbsence("key", nothing(), n.guard("key"))
		}, false},
		{"another caller reads the key", func(n *near) {
			time.Sleep(time.Millisecond)
			n.keepAbsence("key", nothing(), n.guard("key"))
		}, true},
	} {
		for _, moment := range []string{"while Redis is read", "while storage is looked at", "later"} {
			if moment == "while Redis is read" && strings.Contains(test.phrase, "again") {
				continue // what is read later is at least as good
			}
			t.Run(test.phrase+" "+moment, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNear(1<<20, time.Hour)
					n.prove(time.Now())
					g := n.guard("key")
					if moment == "while Redis is read" {
						test.event(n)
					}
					at := nothing()
					n.keepAbsence("key", at, g)
					if moment == "while storage is looked at" {
						test.event(n)
					}
					n.noteAbsent("key", at, shownAbsent())
					if moment == "later" {
						test.event(n)
					}
					if _, ok := n.recall("key", new(clock), true); ok != test.shown {
						t.Errorf("shown is %t, want %t", ok, test.shown)
					}
				})
			})
		}
	}
}

func TestOnlyWhatSaysNothingOfACopyIsAbsent(t *testing.T) {
	n := newNear(1<<20, time.Hour)
	n.prove(time.Now())
	for state, want := range map[cache.State]bool{
		cache.Absent: true, cache.Tombstone: true,
		cache.Queued: false, cache.Copying: false, cache.Present: false, cache.Failed: false,
	} {
		key := cache.Key(state)
		at := cache.NewSnapshot(cache.Entry{State: state, Until: time.Now().Add(time.Hour), Failure: new(cache.FailedTry)}, "x", time.Now())
		n.keepAbsence(key, at, n.guard(key))
		n.noteAbsent(key, at, shownAbsent())
		if _, ok := n.recall(key, new(clock), true); ok != want {
			t.Errorf("%s: shown as absent is %t, want %t", state, ok, want)
		}
	}
}

// Clients who ask for objects at random evict absences, and no copy.
func TestAbsencesHaveABoundOfTheirOwn(t *testing.T) {
	const absences = 100_000
	n := newNear(1<<20, time.Hour)
	n.prove(time.Now())
	copied, popular := longKey(absences), longKey(0)
	n.keep(copied, present(time.Now().Add(time.Hour)), n.guard(copied))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	note := func(key cache.Key) {
		at := nothing()
		n.keepAbsence(key, at, n.guard(key))
		n.noteAbsent(key, at, shownAbsent())
	}
	for i := range absences {
		note(longKey(i))
		n.recall(popular, new(clock), true) // it stays in use
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	counted := n.sum(func(s *nearShard) int64 { return s.absent.bytes })
	kept := n.sum(func(s *nearShard) int64 { return int64(s.absent.items.Len()) })
	taken := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d absences, %d bytes counted, %d taken", kept, counted, taken)
	if counted > maxAbsentBytes || counted < maxAbsentBytes*3/4 {
		t.Errorf("%d bytes are counted, of at most %d", counted, maxAbsentBytes)
	}
	if taken > maxAbsentBytes*5/4 {
		t.Errorf("%d bytes are taken, of at most %d", taken, maxAbsentBytes)
	}
	if _, ok := n.recall(copied, new(clock), false); !ok {
		t.Error("the one copy was dropped")
	}
	if s, _ := n.shard(popular); !s.absent.items.Contains(popular) {
		t.Error("an absence in use was dropped")
	}
	n.forgetAll()
	if counted := n.sum(func(s *nearShard) int64 { return s.absent.bytes }); counted != 0 {
		t.Errorf("%d bytes are counted when all is forgotten", counted)
	}
	runtime.KeepAlive(n)
}
