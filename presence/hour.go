package presence

import (
	"slices"
	"time"
)

// minutesKept is how many minutes are counted apart.
const minutesKept = 60

// An hour counts by how much counters grew in each of the last 60 minutes. The zero
// hour begins with its first sample.
type hour struct {
	start  time.Time // of minute 0
	minute int       // that is counted now, from start on
	grown  map[string]map[string]*growth
}

// A growth is what one counter did.
type growth struct {
	seen   uint64              // the counter, when it was last looked at
	counts [minutesKept]uint64 // by minute modulo 60
}

// sample counts what the counters grew by since the last sample, as of now. It keeps
// nothing of a counter that never moved.
func (h *hour) sample(now time.Time, counters map[string]map[string]uint64) {
	if h.grown == nil {
		h.start, h.grown = now, make(map[string]map[string]*growth)
	}
	h.advance(int(now.Sub(h.start) / time.Minute))
	for backend, outcomes := range counters {
		for outcome, counter := range outcomes {
			if counter == 0 {
				continue
			}
			if h.grown[backend] == nil {
				h.grown[backend] = make(map[string]*growth)
			}
			g := h.grown[backend][outcome]
			if g == nil {
				g = new(growth)
				h.grown[backend][outcome] = g
			}
			if counter > g.seen {
				g.counts[h.minute%minutesKept] += counter - g.seen
				g.seen = counter
			}
		}
	}
}

// advance begins a later minute, and forgets those that are an hour old then.
func (h *hour) advance(minute int) {
	for next := max(h.minute+1, minute-minutesKept+1); next <= minute; next++ {
		for _, outcomes := range h.grown {
			for _, g := range outcomes {
				g.counts[next%minutesKept] = 0
			}
		}
	}
	h.minute = max(h.minute, minute)
}

// minutes returns the counts that are not 0.
func (h *hour) minutes() map[string]map[string]Minutes {
	all := make(map[string]map[string]Minutes)
	for backend, outcomes := range h.grown {
		for outcome, g := range outcomes {
			last := min(h.minute, minutesKept-1)
			for last >= 0 && g.counts[(h.minute-last)%minutesKept] == 0 {
				last--
			}
			if last < 0 {
				continue
			}
			counts := make(Minutes, last+1)
			for ago := range counts {
				counts[ago] = g.counts[(h.minute-ago)%minutesKept]
			}
			if all[backend] == nil {
				all[backend] = make(map[string]Minutes)
			}
			all[backend][outcome] = counts
		}
	}
	return all
}

// Sum returns the count of all minutes.
func (m Minutes) Sum() (sum uint64) {
	for n := range slices.Values(m) {
		sum += n
	}
	return sum
}
