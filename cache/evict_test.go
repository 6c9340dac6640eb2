package cache_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cloudmirror/cache"
)

func TestEntryEvict(t *testing.T) {
	want := with(evicting, func(e *cache.Entry) { e.Until = now.Add(lease) })
	tests := []struct {
		name       string
		from, want cache.Entry
	}{
		{"absence", absent, want},
		{"a copy whose time is over", presentOver, want},
		{"a tombstone that is over", tombstoneOver, want},
		{"a fence that is over", fenceOver, want},
		{"an eviction whose lease lapsed", evictingOver, want},
		{"a copy stays", present, present},
		{"a reservation stays", reserved, reserved},
		{"a job stays", queued, queued},
		{"a job whose lease lapsed stays", queuedLapsed, queuedLapsed},
		{"a running attempt stays", copying, copying},
		{"an attempt whose lease lapsed stays: its upload may go on", copyingLapsed, copyingLapsed},
		{"an error stays", failed, failed},
		{"a tombstone stays", tombstone, tombstone},
		{"so does the tombstone behind an expired copy", purged(presentOver, later), tombstone},
		{"a fence stays", fence, fence},
		{"another eviction stays", with(evicting, func(e *cache.Entry) { e.Job = "other" }), with(evicting, func(e *cache.Entry) { e.Job = "other" })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Evict(now, "evicting", generation, lease), tt.want)
			check(t, tt.from, before)
		})
	}
}

func TestEntryEndEviction(t *testing.T) {
	tests := []struct {
		name       string
		from, want cache.Entry
		id         string
		err        error
	}{
		{"it is absent", evicting, absent, "evicting", nil},
		{"not under another id", evicting, evicting, "other", cache.ErrNotHolder},
		{"not when its lease lapsed", evictingOver, absent, "evicting", cache.ErrNotHolder},
		{"not when it was purged", tombstone, tombstone, "evicting", cache.ErrNotHolder},
		{"not when it was flushed", absent, absent, "evicting", cache.ErrNotHolder},
		{"not when a job has its id", with(queued, func(e *cache.Entry) { e.Job = "evicting" }), with(queued, func(e *cache.Entry) { e.Job = "evicting" }), "evicting", cache.ErrNotHolder},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			got, err := tt.from.EndEviction(now, tt.id)
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			check(t, got, tt.want)
			check(t, tt.from, before)
		})
	}
}

// Evictions in TestEntryModel.

func (w *world) Evict(t *rapid.T) {
	before, id := w.entry.At(w.now), w.newID()
	w.others(t, func(e cache.Entry) cache.Entry { return e.Evict(w.now, id, w.anyGeneration(t), copyLease) })
	w.evictions = append(w.evictions, id)
	if before.State == cache.Absent {
		w.evictor, w.safeTill = id, w.now.Add(copyLease)
	} else if diff := cmp.Diff(before, w.entry.At(w.now)); diff != "" {
		t.Fatalf("an eviction changed %s:\n%s", before.State, diff)
	}
}

func (w *world) EndEviction(t *rapid.T) {
	if len(w.evictions) == 0 {
		t.Skip("none yet")
	}
	id := rapid.SampledFrom(w.evictions).Draw(t, "eviction")
	next, err := w.entry.EndEviction(w.now, id)
	if is := w.evictor == id && w.now.Before(w.safeTill); is != (err == nil) {
		t.Fatalf("%s ends, with %s standing: %v", id, w.evictor, err)
	}
	if err == nil {
		w.evictor = ""
		w.set(t, next)
	}
}
