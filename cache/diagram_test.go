package cache_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
)

// states are all of them, by a sample of each.
var states = map[cache.State]cache.Entry{
	cache.Absent: absent, cache.Reserved: reserved, cache.Queued: queued, cache.Copying: copying, cache.Present: present,
	cache.Failed: failed, cache.Tombstone: tombstone, cache.Fenced: fence, cache.Evicting: evicting,
}

// samples returns entries in each state and each condition that a method can tell apart.
func samples() []cache.Entry {
	plain := append(slices.Collect(maps.Values(states)),
		adopted, reservedLapsed, queuedLapsed, queuedOld, queuedRetry, copyingLapsed, copyingRetry, failedDue, failedPermanent)
	for _, e := range plain {
		switch e.State {
		case cache.Queued, cache.Copying, cache.Present, cache.Failed:
			plain = append(plain, purged(e, later), purged(e, later.Add(time.Hour)))
		case cache.Absent, cache.Reserved, cache.Tombstone, cache.Fenced, cache.Evicting:
		}
	}
	return plain
}

// both makes a change with each of the generations.
func both(change func(cache.Entry, cloudmirror.Generation) cache.Entry) []func(cache.Entry) cache.Entry {
	return []func(cache.Entry) cache.Entry{
		func(e cache.Entry) cache.Entry { return change(e, oldGeneration) },
		func(e cache.Entry) cache.Entry { return change(e, generation) },
	}
}

// first drops the outcome of a change.
func first[O any](e cache.Entry, _ O) cache.Entry { return e }

// only makes a change of one kind.
func only(change func(cache.Entry) cache.Entry) []func(cache.Entry) cache.Entry {
	return []func(cache.Entry) cache.Entry{change}
}

// transitions are the methods that change an entry, with whatever they are given.
var transitions = map[string][]func(cache.Entry) cache.Entry{
	"At": only(func(e cache.Entry) cache.Entry { return e.At(e.Until) }),

	"Reserve": only(func(e cache.Entry) cache.Entry { return e.Reserve(now, "new", "new", lease) }),
	"Adopt":   both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return first(e.Adopt("nonce", g)) }),
	"Discover": both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry {
		return first(e.Discover("nonce", g, copied, later))
	}),
	"Claim":   both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return first(e.Claim(now, "new", g, lease)) }),
	"Defer":   only(func(e cache.Entry) cache.Entry { return e.Defer(now, "job", time.Hour, lease) }),
	"Release": only(func(e cache.Entry) cache.Entry { return e.Release(now, "job") }),
	"Forgive": both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return e.Forgive(now, g) }),

	"Start": both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry {
		return first(e.Start(now, "job", "new", g, lease))
	}),
	"Restore": both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry {
		return first(e.Restore(now, "job", "attempt", g, lease))
	}),
	"Renew":    only(func(e cache.Entry) cache.Entry { return first(e.Renew(now, "attempt", lease, cache.Progress{})) }),
	"Complete": only(func(e cache.Entry) cache.Entry { return first(e.Complete(now, "attempt", copied, later)) }),
	"Fail":     only(func(e cache.Entry) cache.Entry { return first(e.Fail(now, "attempt", transient, memory)) }),
	"Postpone": only(func(e cache.Entry) cache.Entry { return first(e.Postpone(now, "attempt", transient)) }),
	"Requeue":  only(func(e cache.Entry) cache.Entry { return first(e.Requeue(now, "attempt", 0, lease)) }),
	"Abandon":  only(func(e cache.Entry) cache.Entry { return e.Abandon("attempt") }),

	"Backfill":    both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return e.Backfill(now, g, copied, later) }),
	"Fence":       both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return e.Fence(now, "new", g, lease) }),
	"Unfence":     only(func(e cache.Entry) cache.Entry { return e.Unfence() }),
	"Lose":        both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return e.Lose(now, g) }),
	"Evict":       both(func(e cache.Entry, g cloudmirror.Generation) cache.Entry { return e.Evict(now, "new", g, lease) }),
	"EndEviction": only(func(e cache.Entry) cache.Entry { return first(e.EndEviction(now, "evicting")) }),
	"Purge":       only(func(e cache.Entry) cache.Entry { return e.Purge(now, "g2", lease) }),
}

// questions are the methods that change nothing, those of export_test.go included.
var questions = []string{"Encode", "EncodeJSON", "IsReserved", "KeepFor", "Known", "Lapsed", "Pending", "Queues"}

// TestTheDiagramIsWhole compares the diagram in doc.go with what the methods do: each
// transition of each state by each method is in it, and nothing else.
func TestTheDiagramIsWhole(t *testing.T) {
	if diff := cmp.Diff(drawn(t), made(t)); diff != "" {
		t.Errorf("the diagram in doc.go against the methods (-drawn +made):\n%s", diff)
	}
}

// made returns what the methods do.
func made(t *testing.T) []string {
	t.Helper()
	seen := make(map[string]bool)
	for _, e := range samples() {
		for method, changes := range transitions {
			for _, change := range changes {
				if next := change(e); next != e {
					seen[fmt.Sprintf("%s %s %s", e.State, strings.Replace(method, "At", "time", 1), next.State)] = true
				}
			}
		}
	}
	methods := reflect.TypeFor[cache.Entry]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if transitions[name] == nil && !slices.Contains(questions, name) {
			t.Errorf("Entry.%s is neither among the transitions nor among the questions of this test", name)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

var diagramLine = regexp.MustCompile(`^//\t(\w+(?:, \w+)*) +─(\w+)─*▶ (\w+(?:, \w+)*)(?:  .*)?$`)

// drawn returns what the diagram shows.
func drawn(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "//\t") {
			continue
		}
		match := diagramLine.FindStringSubmatch(line)
		if match == nil {
			t.Errorf("no line of a diagram: %s", line)
			continue
		}
		from := strings.Split(match[1], ", ")
		if match[1] == "any" {
			from = nil
			for state := range states {
				from = append(from, string(state))
			}
		}
		for _, from := range from {
			for to := range strings.SplitSeq(strings.Replace(match[3], "same", from, 1), ", ") {
				all = append(all, fmt.Sprintf("%s %s %s", from, match[2], to))
			}
		}
	}
	slices.Sort(all)
	return all
}
