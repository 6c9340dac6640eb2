package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// A schedule decides the order in which everything happens in a history: each
// call of a dependency waits here twice, before it takes effect and before it is
// answered, until it is its turn. All other calls stand still meanwhile.
type schedule struct {
	mu      sync.Mutex
	turns   []*turn // of the calls that wait
	free    bool    // all calls go on at once
	count   int     // steps so far: the clock of the history
	running int     // actors that are not done
	told    bool    // the log is written
	log     []string
}

// A turn is one call that waits to go on.
type turn struct {
	name    string
	answer  bool // it took effect already
	since   int  // the step after which it came
	verdict chan verdict
}

// A verdict is what becomes of a call when its turn comes.
type verdict int

const (
	goOn verdict = iota
	fail         // no effect and an error, or the effect and no answer
)

// tick returns the time of the history, which no two events share, and notes
// what happens then.
func (s *schedule) tick(format string, args ...any) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if s.told {
		s.log = append(s.log, fmt.Sprintf("%4d  ", s.count)+fmt.Sprintf(format, args...))
	}
	return s.count
}

// now returns the time of the history.
func (s *schedule) now() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// call makes a call of a dependency. Either part of it can fail, or be cut off by
// the end of ctx.
func (s *schedule) call(ctx context.Context, name string, effect func()) error {
	if err := s.wait(ctx, name, false); err != nil {
		return err
	}
	effect()
	return s.wait(ctx, name, true)
}

func (s *schedule) wait(ctx context.Context, name string, answer bool) error {
	t := &turn{name: name, answer: answer, verdict: make(chan verdict, 1)}
	s.mu.Lock()
	if s.free {
		s.mu.Unlock()
		return ctx.Err()
	}
	t.since = s.count
	s.turns = append(s.turns, t)
	s.mu.Unlock()
	select {
	case v := <-t.verdict:
		if v == fail {
			return errBroken
		}
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		s.turns = slices.DeleteFunc(s.turns, func(other *turn) bool { return other == t })
		return ctx.Err()
	}
}

// waiting returns the calls that wait, the newest first, in an order that does not
// depend on the goroutines' luck.
func (s *schedule) waiting() []*turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	turns := slices.Clone(s.turns)
	slices.SortStableFunc(turns, func(a, b *turn) int { return cmp.Or(b.since-a.since, cmp.Compare(a.name, b.name)) })
	return turns
}

// release gives a call its turn.
func (s *schedule) release(t *turn, v verdict) {
	s.mu.Lock()
	s.turns = slices.DeleteFunc(s.turns, func(other *turn) bool { return other == t })
	s.mu.Unlock()
	what := "takes effect"
	switch {
	case v == fail && t.answer:
		what = "loses its answer"
	case v == fail:
		what = "fails"
	case t.answer:
		what = "is answered"
	}
	s.tick("%s %s", t.name, what)
	t.verdict <- v
}

// start runs an actor.
func (s *schedule) start(actor func()) {
	s.mu.Lock()
	s.running++
	s.mu.Unlock()
	go func() {
		actor()
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
}

// finish lets all actors run to the end, and time pass until they are there.
func (s *schedule) finish() error {
	s.mu.Lock()
	s.free = true
	turns := s.turns
	s.turns = nil
	s.mu.Unlock()
	for _, t := range turns {
		t.verdict <- goOn
	}
	for range 1000 {
		synctest.Wait()
		if s.actors() == 0 {
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("%d actors never end", s.actors())
}

// actors returns how many are not done.
func (s *schedule) actors() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// letEverybodyGo ends or begins the order.
func (s *schedule) letEverybodyGo(free bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = free
}
