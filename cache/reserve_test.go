package cache_test

import (
	"errors"
	"testing"

	"cloudmirror/cache"
)

// A reservation is made for the first generation, and so stands in the tables in two
// forms: as it was made, and with the generation that it adopted.
var (
	reserved       = cache.Entry{State: cache.Reserved, Generation: oldGeneration, Until: later, Job: "job", Nonce: "nonce", Queueing: &cache.Queueing{Since: now}}
	adopted        = with(reserved, func(e *cache.Entry) { e.Generation = generation })
	reservedLapsed = with(adopted, func(e *cache.Entry) { e.Until = now })
)

func TestEntryReserve(t *testing.T) {
	want := with(reserved, func(e *cache.Entry) { e.Until = now.Add(lease) })
	tests := []struct {
		name       string
		from, want cache.Entry
	}{
		{"absence", absent, want},
		{"what is over", presentOver, want},
		{"a copy stays", present, present},
		{"a job stays", queued, queued},
		{"a job whose lease lapsed stays", queuedLapsed, queuedLapsed},
		{"another reservation stays", reserved, reserved},
		{"so does one whose lease lapsed", reservedLapsed, reservedLapsed},
		{"a fence stays", fence, fence},
		{"an eviction stays", evicting, evicting},
		{"an eviction that is over", evictingOver, want},
		{"an error stays", failed, failed},
		{"a tombstone stays", tombstone, tombstone},
		{"what is left of a purge stays", purged(presentOver, later), purged(presentOver, later).At(now)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := snapshot(tt.from)
			check(t, tt.from.Reserve(now, "job", "nonce", lease), tt.want)
			check(t, tt.from, before)
		})
	}
}

// What a reservation proves holds for its own record, and for nothing that follows
// on it or only looks like it.
func TestEntryReservationStands(t *testing.T) {
	started, _ := reserved.Start(now, "job", "attempt", oldGeneration, lease)
	restarted, err := started.Requeue(now, "attempt", 0, lease)
	if err != nil {
		t.Fatal(err)
	}
	resent, outcome := reservedLapsed.Claim(now, "other", oldGeneration, lease)
	if outcome != cache.ClaimResend {
		t.Fatalf("the claim's outcome is %v", outcome)
	}
	got, err := reserved.Adopt("nonce", generation)
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, adopted)
	tests := []struct {
		name  string
		entry cache.Entry
		nonce string
		want  bool
	}{
		{"under its nonce", reserved, "nonce", true},
		{"with another generation", adopted, "nonce", true},
		{"while it is kept", reserved.Defer(now, "job", 0, 2*lease), "nonce", true},
		{"after its lease, if no claim took over", reservedLapsed, "nonce", true},
		{"not under another nonce", reserved, "other", false},
		{"not under none", reserved, "", false},
		{"not where nothing is reserved", queued, "", false},
		{"not when the copy was started", started, "nonce", false},
		{"not when its job is queued again", restarted, "nonce", false},
		{"not when its job is sent again", resent, "nonce", false},
		{"not when it was released", reserved.Release(now, "job"), "nonce", false},
		{"not when it was purged", reserved.Purge(now, generation, lease), "nonce", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.entry.IsReserved(tt.nonce); got != tt.want {
				t.Errorf("reserved: %v, want %v", got, tt.want)
			}
			_, err := tt.entry.Adopt(tt.nonce, generation)
			if (err == nil) != tt.want || err != nil && !errors.Is(err, cache.ErrNotHolder) {
				t.Errorf("adopt: error %v", err)
			}
			found, err := tt.entry.Discover(tt.nonce, generation, copied, later)
			if (err == nil) != tt.want || err != nil && !errors.Is(err, cache.ErrNotHolder) {
				t.Errorf("discover: error %v", err)
			}
			if tt.want {
				check(t, found, present)
			} else {
				check(t, found, tt.entry)
			}
		})
	}
}
