package cache_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/cache"
)

const digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// storedLine is presentEntry as a released version wrote it: it must be read for
// ever.
const storedLine = "p1 0 1700003600000 5 LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ 1700000000001"

func presentEntry() cache.Entry {
	return cache.Entry{
		State: cache.Present, Generation: cloudmirror.FirstGeneration, Until: time.UnixMilli(1700003600000).UTC(),
		Copy: cache.Copy{SizeBytes: 5, SHA256: digest, StoredAt: time.UnixMilli(1700000000001).UTC()},
	}
}

func TestPresentEntriesAreLines(t *testing.T) {
	if got := presentEntry().Encode(); got != storedLine {
		t.Errorf("encoded: %s\nwant:    %s", got, storedLine)
	}
	for phrase, test := range map[string]struct {
		stored string
		change func(*cache.Entry)
	}{
		"as it is":                           {storedLine, func(*cache.Entry) {}},
		"with fields of a later release":     {storedLine + " x 1 ", func(*cache.Entry) {}},
		"of another generation":              {strings.Replace(storedLine, " 0 ", " g1 ", 1), func(e *cache.Entry) { e.Generation = "g1" }},
		"whose digest is not known":          {strings.Replace(storedLine, "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", "-", 1), func(e *cache.Entry) { e.Copy.SHA256 = "" }},
		"whose time of storing is not known": {strings.Replace(storedLine, "1700000000001", "0", 1), func(e *cache.Entry) { e.Copy.StoredAt = time.Time{} }},
	} {
		t.Run(phrase, func(t *testing.T) {
			want := presentEntry()
			test.change(&want)
			got, err := cache.Decode(test.stored)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("decoded with error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// What has no place in a line is stored as JSON, and is not lost.
func TestOtherEntriesAreJSON(t *testing.T) {
	for phrase, change := range map[string]func(*cache.Entry){
		"of a purged object":           func(e *cache.Entry) { e.PurgedUntil = e.Until },
		"with a job":                   func(e *cache.Entry) { e.Job = "j1" },
		"with tries":                   func(e *cache.Entry) { e.Tries = 1 },
		"with progress":                func(e *cache.Entry) { e.Progress.DoneBytes = 1 },
		"with a failure":               func(e *cache.Entry) { e.Failure = &cache.FailedTry{Code: cloudmirror.CodeInternal} },
		"with another digest":          func(e *cache.Entry) { e.Copy.SHA256 = digest[2:] },
		"with a digest in upper case":  func(e *cache.Entry) { e.Copy.SHA256 = strings.ToUpper(digest) },
		"that is queued":               func(e *cache.Entry) { e.State = cache.Queued },
		"that is a purge":              func(e *cache.Entry) { e.State = cache.Tombstone },
		"whose copy has made progress": func(e *cache.Entry) { e.Progress.TotalBytes = -1 },
	} {
		t.Run(phrase, func(t *testing.T) {
			want := presentEntry()
			change(&want)
			stored := want.Encode()
			got, err := cache.Decode(stored)
			if diff := cmp.Diff(want, got); err != nil || diff != "" || !strings.HasPrefix(stored, "{") {
				t.Errorf("%s is read with error %v (-want +got):\n%s", stored, err, diff)
			}
		})
	}
}

func TestUnreadableLinesAreErrorsAndAbsent(t *testing.T) {
	for phrase, stored := range map[string]string{
		"nothing behind the prefix":   "p1 ",
		"cut off":                     storedLine[:strings.LastIndex(storedLine, " ")],
		"a generation with a slash":   strings.Replace(storedLine, " 0 ", " ../0 ", 1),
		"no generation":               strings.Replace(storedLine, " 0 ", "  ", 1),
		"a time that is no number":    strings.Replace(storedLine, " 17", " x17", 1),
		"a size that is no number":    strings.Replace(storedLine, " 5 ", " five ", 1),
		"a short digest":              strings.Replace(storedLine, "LPJN", "", 1),
		"a digest that is no base64":  strings.Replace(storedLine, "LPJN", "LP+N", 1),
		"an arrival that is no time":  storedLine + "x",
		"a line of a later kind":      strings.Replace(storedLine, "p1", "p2", 1),
		"a line of another beginning": " " + storedLine,
	} {
		t.Run(phrase, func(t *testing.T) {
			got, err := cache.Decode(stored)
			if err == nil || got != (cache.Entry{State: cache.Absent}) {
				t.Errorf("error %v; the entry is %+v", err, got)
			}
		})
	}
}

// FuzzLine holds that a line says what JSON says of the same entry.
func FuzzLine(f *testing.F) {
	f.Add("0", int64(1700003600000), int64(5), []byte("01234567890123456789012345678901"), int64(1700000000001))
	f.Add("g1", int64(0), int64(-1), []byte{}, int64(-1))
	f.Add("a b", int64(1<<62), int64(1<<62), []byte("short"), int64(1))
	f.Fuzz(func(t *testing.T, generation string, until, size int64, sum []byte, stored int64) {
		e := cache.Entry{
			State: cache.Present, Generation: cloudmirror.Generation(generation), Until: time.UnixMilli(until).UTC(),
			Copy: cache.Copy{SizeBytes: size, SHA256: hex.EncodeToString(sum), StoredAt: time.UnixMilli(stored).UTC()},
		}
		want, wantErr := cache.Decode(e.EncodeJSON())
		got, err := cache.Decode(e.Encode())
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%q is read as %+v, error %v; JSON says %+v, error %v", e.Encode(), got, err, want, wantErr)
		}
	})
}

// FuzzDecode holds that what can be read is read again as it was when it is
// written.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{storedLine, storedPresent, storedFailed, storedCopying, "p1 0 +1 -0 - 01", "p1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		e, err := cache.Decode(stored)
		if err != nil {
			return
		}
		again, err := cache.Decode(e.Encode())
		if diff := cmp.Diff(e, again); err != nil || diff != "" {
			t.Errorf("%q is read as %+v, and then with error %v (-want +got):\n%s", stored, e, err, diff)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for e := presentEntry(); b.Loop(); {
		_ = e.Encode()
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, stored := range map[string]string{"line": storedLine, "JSON": presentEntry().EncodeJSON()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cache.Decode(stored); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyOf(b *testing.B) {
	object, err := cloudmirror.ParseObject("https://origin.test/release/tool-1.0.tar.gz")
	if err != nil {
		b.Fatal(err)
	}
	id := cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}
	b.ReportAllocs()
	for b.Loop() {
		_ = cache.KeyOf(object, id)
	}
}
