package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror/kv"
	"cloudmirror/kv/memkv"
	"cloudmirror/presence"
)

const backend = "s3/eu-west-1"

// A breakableStore is a store in memory that can fail, hang, or lose its client's
// machine.
type breakableStore struct {
	kv.Store
	down, frozen, dead atomic.Bool
	readOnly           atomic.Bool
	lists              atomic.Int64
	life               atomic.Int64 // of the last Put
}

var errDown = errors.New("READONLY you can't write against a read only replica")

func (s *breakableStore) fail(ctx context.Context) error {
	if s.frozen.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *breakableStore) Put(ctx context.Context, t kv.Table, id string, value []byte, life time.Duration) error {
	if err := s.fail(ctx); err != nil {
		return err
	}
	if s.readOnly.Load() {
		return errDown
	}
	s.life.Store(int64(life))
	if s.dead.Load() {
		return nil
	}
	return s.Store.Put(ctx, t, id, value, life)
}

func (s *breakableStore) List(ctx context.Context, t kv.Table) ([]kv.Record, error) {
	s.lists.Add(1)
	if err := s.fail(ctx); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, t)
}

func (s *breakableStore) Delete(ctx context.Context, t kv.Table, id string) error {
	if s.dead.Load() {
		return nil
	}
	return s.Store.Delete(ctx, t, id)
}

// run runs a board until stop is called, which waits for its end.
func run(t *testing.T, b *presence.Board) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func copierOn(s kv.Store) *presence.Board {
	return presence.New(presence.Options{Store: s, Self: presence.Note{Role: "copier", Name: "host:1", CopiesTo: []string{backend}}})
}

// copiers returns how many processes copy to the backend, as a board knows it.
func copiers(t *testing.T, b *presence.Board) int {
	t.Helper()
	notes, err := b.Notes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return presence.Copiers(notes, backend)
}

func TestAProcessThatEndsIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(memkv.Store)
		first, second := &breakableStore{Store: memory}, &breakableStore{Store: memory}
		watcher := presence.New(presence.Options{Store: memory, Self: presence.Note{Role: "frontend"}})
		stopFirst, _ := run(t, copierOn(first)), run(t, copierOn(second))
		time.Sleep(time.Minute)
		if n := copiers(t, watcher); n != 2 {
			t.Fatalf("two processes of one name are %d", n)
		}
		stopFirst()
		time.Sleep(time.Second)
		if n := copiers(t, watcher); n != 1 {
			t.Errorf("after an orderly stop of one there are %d", n)
		}
		second.dead.Store(true) // nothing of it arrives any more
		killed := time.Now()
		for copiers(t, watcher) > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(killed); took > 12*time.Second || second.life.Load() != int64(10*time.Second) {
			t.Errorf("a killed process is known for %v, its note lives for %v", took, time.Duration(second.life.Load()))
		}
	})
}

func TestADrainingProcessTakesNoJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(memkv.Store)
		watcher := presence.New(presence.Options{Store: memory, Self: presence.Note{Role: "frontend"}})
		copier := copierOn(memory)
		run(t, copier)
		synctest.Wait()
		copier.Drain()
		time.Sleep(presence.Interval + time.Second)
		notes, err := watcher.Notes(t.Context())
		if err != nil || len(notes) != 2 || presence.Copiers(notes, backend) != 0 {
			t.Errorf("notes %+v, error %v, want a copier that copies nowhere", notes, err)
		}
	})
}

// Strangers who ask for pages cost the store no more than one call a second.
func TestNotesAreReadOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &breakableStore{Store: new(memkv.Store)}
		b := copierOn(store)
		for range 25 { // 2.4 s
			var asking sync.WaitGroup
			for range 10 {
				asking.Go(func() { copiers(t, b) })
			}
			asking.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		if n := store.lists.Load(); n != 3 {
			t.Errorf("250 calls in 2.4 s read %d times, want 3", n)
		}
	})
}

func TestWithoutTheStoreAProcessKnowsItself(t *testing.T) {
	for name, frozen := range map[string]bool{"down": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &breakableStore{Store: new(memkv.Store)}
				b := copierOn(store)
				stop := run(t, b)
				synctest.Wait()
				if err := b.WriteError(); err != nil {
					t.Fatal(err)
				}
				store.frozen.Store(frozen)
				store.down.Store(!frozen)
				time.Sleep(2 * presence.Interval)
				began := time.Now()
				var asking sync.WaitGroup
				for range 100 {
					asking.Go(func() {
						notes, err := b.Notes(t.Context())
						if err == nil || len(notes) != 1 || notes[0].Name != "host:1" {
							t.Errorf("notes %v, error %v, want its own and why there are no more", notes, err)
						}
					})
				}
				asking.Wait()
				if took := time.Since(began); took > time.Second {
					t.Errorf("100 callers wait for %v", took)
				}
				if b.WriteError() == nil {
					t.Error("nothing says that notes are not written")
				}
				began = time.Now()
				stop()
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("the stop takes %v", took)
				}
			})
		})
	}
}

func TestRequestsOfTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hits atomic.Uint64
		b := presence.New(presence.Options{Store: new(memkv.Store), Self: presence.Note{Role: "frontend"}, Requests: func() map[string]map[string]uint64 {
			return map[string]map[string]uint64{backend: {"hit": hits.Load(), "miss": 0}}
		}})
		run(t, b)
		requests := func() map[string]map[string]presence.Minutes {
			notes, err := b.Notes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return notes[0].Requests
		}
		hits.Add(5)
		time.Sleep(time.Minute + time.Second) // minute 1
		hits.Add(7)
		time.Sleep(2 * time.Minute) // minute 3
		hits.Add(1)
		want := map[string]map[string]presence.Minutes{backend: {"hit": {1, 0, 7, 5}}}
		if diff := cmp.Diff(want, requests()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(57 * time.Minute) // minute 60
		if sum := requests()[backend]["hit"].Sum(); sum != 8 {
			t.Errorf("after an hour %d, want 8: the first minute is over", sum)
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff(map[string]map[string]presence.Minutes{}, requests()); diff != "" {
			t.Errorf("after two hours (-want +got):\n%s", diff)
		}
	})
}

// Anything may be in a store; what is no note is left out, and nothing is longer than
// a note may be.
func TestHostileNotes(t *testing.T) {
	long := strings.Repeat("ä", 100_000)
	for name, test := range map[string]struct {
		value string
		ok    bool
	}{
		"nothing":                                {"", false},
		"no JSON":                                {"planted", false},
		"another type":                           {`[1]`, false},
		"null":                                   {`null`, false},
		"an empty object":                        {`{}`, false},
		"no role":                                {`{"id":"x"}`, false},
		"another id":                             {`{"id":"y","role":"copier"}`, false},
		"negative counts":                        {`{"id":"x","role":"frontend","requests":{"a/b":{"hit":[-1]}}}`, false},
		"nested without end":                     {strings.Repeat("[", 1<<20), false},
		"nulls":                                  {`{"id":"x","role":"copier","copies":[null],"dependencies":[null],"requests":{"a/b":null,"c/d":{"hit":null}},"copies_to":[""]}`, true},
		"unknown members":                        {`{"id":"x","role":"router","load":0.5}`, true},
		"long names":                             {`{"id":"x","role":"` + long + `","name":"` + long + `","version":"` + long + `","copies_to":["` + long + `"]}`, true},
		"long causes":                            {`{"id":"x","role":"copier","dependencies":[{"name":"` + long + `","cause":"` + long + `"}]}`, true},
		"many copies":                            {`{"id":"x","role":"copier","copies":[` + strings.Repeat(`{"host":"`+long[:1000]+`"},`, 900) + `{}]}`, true},
		"many backends":                          {`{"id":"x","role":"copier","copies_to":[` + strings.Repeat(`"a/b",`, 100_000) + `"a/b"]}`, true},
		"many minutes, and counts that overflow": {`{"id":"x","role":"frontend","requests":{"a/b":{"hit":[` + strings.Repeat(`18446744073709551615,`, 9_999) + `1]}}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(memkv.Store)
			if err := store.Put(t.Context(), "presence", "x", []byte(test.value), time.Minute); err != nil {
				t.Fatal(err)
			}
			notes, err := presence.Read(t.Context(), store)
			if err != nil || len(notes) == 1 != test.ok {
				t.Fatalf("%d notes, error %v", len(notes), err)
			}
			if !test.ok {
				return
			}
			encoded, err := json.Marshal(notes[0])
			if err != nil || len(encoded) > 140_000 || strings.Contains(string(encoded), `\ufffd`) {
				t.Errorf("%d bytes, error %v", len(encoded), err)
			}
			for _, outcomes := range notes[0].Requests {
				if sum := outcomes["hit"].Sum(); len(outcomes["hit"]) > 60 || sum > 60<<40 {
					t.Errorf("%d minutes of %d", len(outcomes["hit"]), sum)
				}
			}
		})
	}
}

// A deployment of a thousand processes is known as a whole.
func TestAThousandNotes(t *testing.T) {
	store := new(memkv.Store)
	for range 1000 {
		b := copierOn(store)
		presence.Put(b, t.Context())
		if err := b.WriteError(); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := presence.Read(t.Context(), store)
	if err != nil || presence.Copiers(notes, backend) != 1000 {
		t.Errorf("%d notes, error %v", len(notes), err)
	}
}

// The note of a process with many busy backends fits into its record, and still tells
// how many requests there were.
func TestTheLargestNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const backends, perMinute = 200, 1 << 32
		store, minute := new(memkv.Store), atomic.Uint64{}
		b := presence.New(presence.Options{
			Store: store,
			Self:  presence.Note{Role: "serve"},
			Dependencies: func() (all []presence.Dependency) {
				for i := range backends {
					all = append(all, presence.Dependency{Name: fmt.Sprintf("storage s3/%d", i), Cause: strings.Repeat("x", 1000)})
				}
				return all
			},
			Requests: func() map[string]map[string]uint64 {
				counters := make(map[string]map[string]uint64)
				for i := range backends {
					n := minute.Load() * perMinute
					counters[fmt.Sprintf("s3/%d", i)] = map[string]uint64{
						"hit": n, "backfill": n, "miss": n, "fallback": n, "denied": n, "error": n, "gone": n, "direct": n,
					}
				}
				return counters
			},
		})
		for range 60 {
			minute.Add(1)
			presence.Put(b, t.Context())
			time.Sleep(time.Minute)
		}
		minute.Add(1)
		presence.Put(b, t.Context())
		records, err := store.List(t.Context(), "presence")
		if err != nil || b.WriteError() != nil || len(records) != 1 || len(records[0].Value) > 512<<10 {
			t.Fatalf("%d notes, error %v, %v", len(records), err, b.WriteError())
		}
		notes, err := presence.Read(t.Context(), store)
		if err != nil || notes[0].Requests["s3/7"]["miss"].Sum() != 60*perMinute || notes[0].Dependencies[7].Cause == "" {
			t.Errorf("error %v, %d counted in an hour", err, notes[0].Requests["s3/7"]["miss"].Sum())
		}
	})
}

// A store that refuses writes still tells what it has, and the notes that are not
// renewed vanish from it: their processes may run.
func TestNotesThatCannotBeWrittenAreNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(memkv.Store)
		stores := []*breakableStore{{Store: memory}, {Store: memory}}
		watcher := presence.New(presence.Options{Store: stores[0], Self: presence.Note{Role: "frontend"}})
		run(t, watcher)
		time.Sleep(presence.Interval / 2)
		run(t, copierOn(stores[1]))
		synctest.Wait()
		for _, s := range stores {
			s.readOnly.Store(true)
		}
		time.Sleep(time.Minute)
		if notes, err := watcher.Notes(t.Context()); !errors.Is(err, errDown) || len(notes) != 1 {
			t.Errorf("while nothing can be written: %d notes, error %v, want its own and %v", len(notes), err, errDown)
		}
		for _, s := range stores {
			s.readOnly.Store(false)
		}
		for since := time.Now(); time.Since(since) < 10*time.Second; time.Sleep(100 * time.Millisecond) {
			if notes, err := watcher.Notes(t.Context()); err == nil && presence.Copiers(notes, backend) == 0 {
				t.Fatalf("%v later it says that nothing copies", time.Since(since))
			}
		}
		if n := copiers(t, watcher); n != 1 {
			t.Errorf("in the end %d processes copy", n)
		}
	})
}
