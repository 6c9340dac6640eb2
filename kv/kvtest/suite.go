package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/kv"
)

// A Harness is a store to be tested, for one test.
type Harness struct {
	// Store need not be empty: each test uses a table of its own.
	Store kv.Store
	// Peer is another client of the same store; where a store is of one process, it
	// is the Store itself.
	Peer kv.Store
	// Advance moves the store's clock on, or waits.
	Advance func(d time.Duration)
}

const longLife = time.Hour

// Run tests a driver. Open runs a test with a harness.
func Run(t *testing.T, open func(t *testing.T, test func(*testing.T, Harness))) {
	t.Helper()
	for i, test := range []struct {
		phrase string
		run    func(t *testing.T, h Harness, table kv.Table)
	}{
		{"what was put is found", found},
		{"what was never put is not found", notFound},
		{"a second put replaces the first", replaced},
		{"tables do not share ids", separate},
		{"a list has all records by id", listed},
		{"a deleted record is gone, and deleting it again is no error", deleted},
		{"a record vanishes after its life", vanished},
		{"a put begins the life anew", renewed},
		{"any bytes are kept", anyBytes},
		{"a value that is too large is refused", tooLarge},
		{"a full table loses what would vanish first", full},
		{"a hundred at once lose nothing", crowd},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			open(t, func(t *testing.T, h Harness) { test.run(t, h, kv.Table("table"+string(rune('a'+i)))) })
		})
	}
}

func put(t *testing.T, s kv.Store, table kv.Table, id, value string, life time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), table, id, []byte(value), life); err != nil {
		t.Fatalf("put %s: %v", id, err)
	}
}

// get returns a value, or the error's text.
func get(ctx context.Context, s kv.Store, table kv.Table, id string) string {
	value, err := s.Get(ctx, table, id)
	if errors.Is(err, kv.ErrNotFound) {
		return "not found"
	}
	if err != nil {
		return err.Error()
	}
	return string(value)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func list(t *testing.T, s kv.Store, table kv.Table) map[string]string {
	t.Helper()
	records, err := s.List(t.Context(), table)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	values := make(map[string]string)
	before := ""
	for _, r := range records {
		if r.ID <= before && before != "" {
			t.Errorf("%q is listed behind %q", r.ID, before)
		}
		before = r.ID
		values[r.ID] = string(r.Value)
	}
	return values
}

func found(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "a", "1", longLife)
	want(t, "its own process", get(t.Context(), h.Store, table, "a"), "1")
	want(t, "another one", get(t.Context(), h.Peer, table, "a"), "1")
}

func notFound(t *testing.T, h Harness, table kv.Table) {
	want(t, "get", get(t.Context(), h.Store, table, "a"), "not found")
	if records := list(t, h.Store, table); len(records) > 0 {
		t.Errorf("an empty table lists %v", records)
	}
}

func replaced(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "a", "1", longLife)
	put(t, h.Peer, table, "a", "2", longLife)
	want(t, "get", get(t.Context(), h.Store, table, "a"), "2")
}

func separate(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "a", "1", longLife)
	want(t, "another table", get(t.Context(), h.Store, table+"x", "a"), "not found")
	if records := list(t, h.Store, table+"x"); len(records) > 0 {
		t.Errorf("another table lists %v", records)
	}
}

func listed(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "b", "2", longLife)
	put(t, h.Peer, table, "a", "1", longLife)
	put(t, h.Store, table, "c", "3", longLife)
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2", "c": "3"}, list(t, h.Store, table)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func deleted(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "a", "1", longLife)
	put(t, h.Store, table, "b", "2", longLife)
	for range 2 {
		if err := h.Peer.Delete(t.Context(), table, "a"); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	want(t, "get", get(t.Context(), h.Store, table, "a"), "not found")
	if diff := cmp.Diff(map[string]string{"b": "2"}, list(t, h.Store, table)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func vanished(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "short", "1", 300*time.Millisecond)
	put(t, h.Store, table, "long", "2", longLife)
	h.Advance(400 * time.Millisecond)
	want(t, "get", get(t.Context(), h.Store, table, "short"), "not found")
	if diff := cmp.Diff(map[string]string{"long": "2"}, list(t, h.Peer, table)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func renewed(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "a", "1", 300*time.Millisecond)
	put(t, h.Store, table, "a", "2", longLife)
	h.Advance(400 * time.Millisecond)
	want(t, "get", get(t.Context(), h.Store, table, "a"), "2")
}

func anyBytes(t *testing.T, h Harness, table kv.Table) {
	value := make([]byte, 256)
	for i := range value {
		value[i] = byte(i)
	}
	id := "any: {id}\n\x00ü"
	put(t, h.Store, table, id, string(value), longLife)
	want(t, "get", get(t.Context(), h.Store, table, id), string(value))
	put(t, h.Store, table, "empty", "", longLife)
	want(t, "an empty value", get(t.Context(), h.Store, table, "empty"), "")
}

func tooLarge(t *testing.T, h Harness, table kv.Table) {
	value := bytes.Repeat([]byte("x"), kv.MaxValueBytes)
	if err := h.Store.Put(t.Context(), table, "a", value, longLife); err != nil {
		t.Errorf("%d bytes: %v", len(value), err)
	}
	if err := h.Store.Put(t.Context(), table, "a", append(value, 'x'), longLife); !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
}

func full(t *testing.T, h Harness, table kv.Table) {
	put(t, h.Store, table, "first", "", time.Minute)
	for i := range kv.MaxRecords {
		put(t, h.Store, table, fmt.Sprintf("%04d", i), "", longLife)
	}
	want(t, "what would vanish first", get(t.Context(), h.Store, table, "first"), "not found")
	if n := len(list(t, h.Store, table)); n != kv.MaxRecords {
		t.Errorf("%d records are kept, want %d", n, kv.MaxRecords)
	}
}

func crowd(t *testing.T, h Harness, table kv.Table) {
	var writers sync.WaitGroup
	for i := range 100 {
		writers.Go(func() {
			id := fmt.Sprintf("%02d", i)
			if err := h.Store.Put(t.Context(), table, id, []byte(id), longLife); err != nil {
				t.Errorf("put: %v", err)
			}
			want(t, "get", get(t.Context(), h.Peer, table, id), id)
		})
	}
	writers.Wait()
	if n := len(list(t, h.Store, table)); n != 100 {
		t.Errorf("%d records are listed, want 100", n)
	}
}
