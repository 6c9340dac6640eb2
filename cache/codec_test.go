package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cloudmirror"
	"cloudmirror/cache"
)

// storedPresent and storedFailed are as a released version wrote them: they must
// be read for ever.
const (
	storedPresent = `{"v":1,"state":"present","gen":"0","until":1700003600000,"size":5,"sha256":"2cf2","stored":1700000000001}`
	storedFailed  = `{"v":1,"state":"error","gen":"g1","until":1700003600000,"job":"j1","tries":2,` +
		`"error":{"code":"OriginStatus","message":"m","cause":"c","status":404,"permanent":true}}`
	storedQueued   = `{"v":1,"state":"queued","gen":"0","until":1700003600000,"job":"j1"}`
	storedReserved = `{"v":1,"state":"queued","gen":"0","until":1700003600000,"job":"j1","nonce":"n1"}`
	storedPurged   = `{"v":1,"state":"tombstone","gen":"g1","until":1700003600000,"purged":1700003600000}`
	storedFenced   = `{"v":1,"state":"tombstone","gen":"g1","until":1700003600000,"job":"f1"}`
	storedEvicting = `{"v":1,"state":"evicting","gen":"g1","until":1700003600000,"job":"e1"}`
	storedDelayed  = `{"v":1,"state":"queued","gen":"0","until":1700003600000,"job":"j1","since":1700000000000,"delayed":1700000010000}`
	storedCopying  = `{"v":1,"state":"copying","gen":"0","until":1700003600000,"job":"j1","attempt":"a1","tries":1,"done":7,"total":-1,` +
		`"error":{"code":"OriginTimeout","retry":1700000000000}}`
)

func TestStoredFormStays(t *testing.T) {
	until := time.UnixMilli(1700003600000).UTC()
	for phrase, test := range map[string]struct {
		stored string
		entry  cache.Entry
	}{
		"present": {storedPresent, cache.Entry{State: cache.Present, Generation: "0", Until: until, Copy: cache.Copy{
			SizeBytes: 5, SHA256: "2cf2", StoredAt: time.UnixMilli(1700000000001).UTC(),
		}}},
		"error": {storedFailed, cache.Entry{
			State: cache.Failed, Generation: "g1", Until: until, Job: "j1", Tries: 2,
			Failure: &cache.FailedTry{Code: cloudmirror.CodeOriginStatus, Message: "m", Cause: "c", Status: 404, Permanent: true},
		}},
		"queued": {storedQueued, cache.Entry{State: cache.Queued, Generation: "0", Until: until, Job: "j1"}},
		// Releases that know neither state tell them by the nonce and the id.
		"reserved": {storedReserved, cache.Entry{State: cache.Reserved, Generation: "0", Until: until, Job: "j1", Nonce: "n1"}},
		"fenced":   {storedFenced, cache.Entry{State: cache.Fenced, Generation: "g1", Until: until, Job: "f1"}},
		"evicting": {storedEvicting, cache.Entry{State: cache.Evicting, Generation: "g1", Until: until, Job: "e1"}},
		"purged":   {storedPurged, cache.Entry{State: cache.Tombstone, Generation: "g1", Until: until, PurgedUntil: until}},
		"queued, and held back": {storedDelayed, cache.Entry{
			State: cache.Queued, Generation: "0", Until: until, Job: "j1",
			Queueing: &cache.Queueing{Since: time.UnixMilli(1700000000000).UTC(), DelayedTo: time.UnixMilli(1700000010000).UTC()},
		}},
		"copying": {storedCopying, cache.Entry{
			State: cache.Copying, Generation: "0", Until: until, Job: "j1", Attempt: "a1", Tries: 1,
			Progress: cache.Progress{DoneBytes: 7, TotalBytes: -1},
			Failure:  &cache.FailedTry{Code: cloudmirror.CodeOriginTimeout, RetryAt: time.UnixMilli(1700000000000).UTC()},
		}},
	} {
		t.Run(phrase, func(t *testing.T) {
			if got := test.entry.Encode(); got != test.stored {
				t.Errorf("encoded: %s\nwant:    %s", got, test.stored)
			}
			got, err := cache.Decode(test.stored)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.entry, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryEntryReadsBackAsItWas(t *testing.T) {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(1, 1<<42).Draw(t, "ms")).UTC()
	})
	id, maybe := rapid.StringMatching(`[a-z0-9]{1,26}`), rapid.StringMatching(`[a-z0-9]{0,26}`)
	failure := rapid.Custom(func(t *rapid.T) *cache.FailedTry {
		return &cache.FailedTry{
			Code: cloudmirror.CodeStorageFailed, Message: rapid.String().Draw(t, "message"), Cause: rapid.String().Draw(t, "cause"),
			Status: rapid.IntRange(0, 599).Draw(t, "status"), Permanent: rapid.Bool().Draw(t, "permanent"), RetryAt: moment.Draw(t, "retry"),
		}
	})
	states := []cache.State{cache.Reserved, cache.Queued, cache.Copying, cache.Present, cache.Failed, cache.Tombstone, cache.Fenced, cache.Evicting}
	rapid.Check(t, func(t *rapid.T) {
		e := cache.Entry{
			State:      rapid.SampledFrom(states).Draw(t, "state"),
			Generation: cloudmirror.Generation(rapid.StringMatching(`[a-z0-9]{1,26}`).Draw(t, "generation")),
			Until:      moment.Draw(t, "until"),
			Attempt:    maybe.Draw(t, "attempt"), Tries: rapid.IntRange(0, 99).Draw(t, "tries"),
			Copy:     cache.Copy{SizeBytes: rapid.Int64Min(0).Draw(t, "size"), SHA256: maybe.Draw(t, "sha256"), StoredAt: moment.Draw(t, "stored")},
			Progress: cache.Progress{DoneBytes: rapid.Int64Min(0).Draw(t, "done"), TotalBytes: rapid.Int64Min(-1).Draw(t, "total")},
		}
		switch e.State {
		case cache.Tombstone:
		case cache.Fenced:
			e.Job = id.Draw(t, "id")
		case cache.Reserved:
			e.Nonce = id.Draw(t, "nonce")
			fallthrough
		default:
			e.Job = maybe.Draw(t, "job")
		}
		if rapid.Bool().Draw(t, "queueing") {
			e.Queueing = &cache.Queueing{Since: moment.Draw(t, "since"), DelayedTo: moment.Draw(t, "delayed")}
		}
		if e.State == cache.Failed || rapid.Bool().Draw(t, "failed before") {
			e.Failure = failure.Draw(t, "failure")
		}
		got, err := cache.Decode(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatalf("decoded (-want +got):\n%s", diff)
		}
	})
}

func TestTimesLoseWhatIsBelowAMillisecond(t *testing.T) {
	exact := time.Date(2026, 1, 2, 3, 4, 5, 678_912_345, time.FixedZone("", 3600))
	got, err := cache.Decode(cache.Entry{State: cache.Tombstone, Generation: "0", Until: exact}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 1, 2, 2, 4, 5, 678_000_000, time.UTC); got.Until != want {
		t.Errorf("the time is %v, want %v", got.Until, want)
	}
}

func TestUnreadableValuesAreErrorsAndAbsent(t *testing.T) {
	for phrase, stored := range map[string]string{
		"nothing":                     "",
		"not JSON":                    "present",
		"cut off":                     storedPresent[:40],
		"another type":                `["v",1]`,
		"no version":                  strings.Replace(storedPresent, `"v":1,`, "", 1),
		"a newer version":             strings.Replace(storedPresent, `"v":1`, `"v":2`, 1),
		"no state":                    strings.Replace(storedPresent, `"state":"present",`, "", 1),
		"an unknown state":            strings.Replace(storedPresent, `"present"`, `"thinking"`, 1),
		"absent, which is not stored": strings.Replace(storedPresent, `"present"`, `"absent"`, 1),
		"no generation":               strings.Replace(storedPresent, `"gen":"0",`, "", 1),
		"a generation with a slash":   strings.Replace(storedPresent, `"gen":"0"`, `"gen":"../0"`, 1),
		"an error without its reason": strings.Replace(storedPresent, `"present"`, `"error"`, 1),
	} {
		t.Run(phrase, func(t *testing.T) {
			got, err := cache.Decode(stored)
			if err == nil {
				t.Errorf("no error; the entry is %+v", got)
			}
			if got.State != cache.Absent {
				t.Errorf("the state is %s", got.State)
			}
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	newer := strings.Replace(storedPresent, `{"v":1`, `{"v":1,"near":{"x":[1]}`, 1)
	got, err := cache.Decode(newer)
	if err != nil || got.State != cache.Present || got.Copy.SizeBytes != 5 {
		t.Errorf("the entry is %+v, error %v", got, err)
	}
}

func TestKeepForIsUntilTheEntrySaysNothing(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	for state, want := range map[cache.State]time.Duration{
		cache.Reserved:  time.Minute + cache.KeepAfterLapse,
		cache.Queued:    time.Minute + cache.KeepAfterLapse,
		cache.Copying:   time.Minute + cache.KeepAfterLapse,
		cache.Present:   time.Minute,
		cache.Failed:    time.Minute,
		cache.Tombstone: time.Minute,
		cache.Fenced:    time.Minute,
		cache.Evicting:  time.Minute,
	} {
		e := cache.Entry{State: state, Generation: "0", Until: now.Add(time.Minute)}
		if got := e.KeepFor(now); got != want {
			t.Errorf("%s is kept for %v, want %v", state, got, want)
		}
		if got := e.KeepFor(now.Add(2 * time.Hour)); got > 0 {
			t.Errorf("%s is kept for %v when its time is over", state, got)
		}
	}
}
