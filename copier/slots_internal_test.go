package copier

import (
	"slices"
	"testing"

	"go.uber.org/zap"
)

// Connections beside the first ones count for copies that have slots. A slow copy
// takes its own with it, and brings them back.
func TestConnectionsOfSlowCopies(t *testing.T) {
	t.Parallel()
	s := newSlots(4, 8, nil)
	newSlot := func() *slot {
		s.take(t.Context())
		return s.occupy(func() {}, nil)
	}
	connect := func(sl *slot) (n int) {
		for sl.tryConnection() {
			n++
		}
		return n
	}
	one := newSlot()
	if n := connect(one); n != 7 {
		t.Fatalf("a copy alone has %d further connections, want 7", n)
	}
	one.slowDown()
	other := newSlot()
	if n := connect(other); n != 7 {
		t.Errorf("another has %d beside a slow copy, want 7", n)
	}
	if one.endConnection(); one.tryConnection() {
		t.Error("a slow copy gets a connection")
	}
	if !one.speedUp() {
		t.Fatal("it does not come back, though a slot is free")
	}
	for range 6 {
		one.endConnection()
	}
	one.leave()
	for range 7 {
		other.endConnection()
	}
	other.leave()
	if s.extra != 0 || len(s.taken) != 0 || s.slowCopies() != 0 {
		t.Errorf("at the end %d connections, %d slots and %d slow copies are counted", s.extra, len(s.taken), s.slowCopies())
	}
}

func TestASlowCopyGoesBehindJobsThatWait(t *testing.T) {
	t.Parallel()
	s := newSlots(1, 1, nil)
	s.take(t.Context())
	slow := s.occupy(func() {}, nil)
	slow.slowDown()
	s.take(t.Context())
	fast := s.occupy(func() {}, nil)
	if slow.speedUp() {
		t.Error("there are two copies with one slot")
	}
	fast.leave()
	slow.leave()
	if slow.speedUp() || s.slowCopies() != 0 || len(s.taken) != 0 {
		t.Error("a copy that has ended has a slot")
	}
}

// A slow copy for which no client waits gives its turn of the background back with its
// slot, and comes back to a slot with another one.
func TestASlowCopyOfTheBackground(t *testing.T) {
	t.Parallel()
	background := newHosts(Limits{}, zap.NewNop(), 1).background
	s := newSlots(2, 1, background)
	s.take(t.Context())
	slow := s.occupy(func() {}, background.tryTurn(false))
	slow.slowDown()
	other := background.tryTurn(false)
	if other == nil {
		t.Fatal("a slow copy keeps its turn")
	}
	if slow.speedUp() {
		t.Error("it comes back without a turn")
	}
	other.end()
	if !slow.speedUp() || background.tryTurn(false) != nil {
		t.Error("it does not come back, or without the turn that is free")
	}
	if slow.leave(); background.turns.count() != 0 || len(s.taken) != 0 {
		t.Error("at the end a turn or a slot is taken")
	}
}

// When the slow pool is full, a copy goes back for which no client waits, though others
// brought less.
func TestSlowCopiesOfTheBackgroundGoBackFirst(t *testing.T) {
	t.Parallel()
	background := newHosts(Limits{}, zap.NewNop(), 1).background
	s := newSlots(1, 1, background)
	var back []string
	slowCopy := func(name string, behind *turn, bytes int) {
		s.take(t.Context())
		sl := s.occupy(func() { back = append(back, name) }, behind)
		t.Cleanup(sl.leave)
		sl.pace.wait()
		sl.pace.got(bytes)
		sl.pace.wait()
		sl.slowDown()
	}
	slowCopy("a client's, with nothing", nil, 0)
	slowCopy("a warm one", background.tryTurn(false), 1000)
	slowCopy("a warm one, with less", background.tryTurn(false), 500)
	slowCopy("another client's", nil, 0)
	slowCopy("a client's, with more", nil, 2000)
	slowCopy("the last client's", nil, 0)
	want := []string{"a warm one, with less", "a warm one"}
	if !slices.Equal(back, want) {
		t.Errorf("handed back: %q, want %q", back, want)
	}
}

func BenchmarkPace(b *testing.B) {
	p := newPace(func() {}, func() bool { return false })
	defer p.stop()
	for b.Loop() {
		p.wait()
		p.got(16 << 10)
	}
}
