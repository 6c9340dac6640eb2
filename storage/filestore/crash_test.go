package filestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"cloudmirror"
	"cloudmirror/storage"
)

// fates is how many outcomes of a crash at one moment are tried, beside the two
// in which everything or nothing of what was not synced is kept.
const fates = 10

// TestCrashes lets the machine die after each change that a run of puts and
// deletes makes, and looks at what is found afterwards, for many fates of all
// that was not synced by then. A key holds nothing or a whole copy, and what a
// caller was told to be stored is there.
func TestCrashes(t *testing.T) {
	outside := crashDir(t)
	base := filepath.Join(outside, "before")
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	l := new(ledger)
	work(t, l, filepath.Join(base, "data", "objects"))
	first := slices.IndexFunc(l.events, func(e event) bool { return e.verb == "create" })
	n := fates
	if testing.Short() {
		n /= 5
	}
	for at := first - 3; at <= len(l.events); at++ {
		for i := range n + 2 {
			f := fate{random: rand.New(rand.NewPCG(uint64(at), uint64(i))), share: 0.5} //nolint:gosec // fates need no secrecy
			switch i {
			case 0:
				f.share = 0
			case 1:
				f.share = 1
			}
			place := filepath.Join(outside, "after")
			replay(l.events[:at], base).restart(t, base, place, f)
			inspect(t, filepath.Join(place, "data", "objects"), l.events[:at])
			if t.Failed() {
				for _, e := range l.events[first:at] {
					t.Logf("%s %s %s %.20q", e.verb, strings.TrimPrefix(e.path, base), strings.TrimPrefix(e.to, base), e.data)
				}
				t.Fatalf("after event %d, fate %d", at, i)
			}
			if err := os.RemoveAll(place); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// crashDir returns a directory, in memory where there is such a file system.
func crashDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "filestore-test-") //nolint:usetesting // TempDir is on disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// keyOf returns the key of the copy of an object.
func keyOf(t *testing.T, name string) string {
	o, err := cloudmirror.ParseObject("https://origin.test/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return o.StorageKey(cloudmirror.FirstGeneration)
}

// A worker does things to a store, and notes what it was promised.
type worker struct {
	t      *testing.T
	store  *Store
	ledger *ledger
}

func (w *worker) put(name, content string, o storage.PutOptions) error {
	key := keyOf(w.t, name)
	w.ledger.note(event{verb: "begin", path: key, data: content})
	o.SizeBytes = int64(len(content))
	half := len(content) / 2
	body := io.MultiReader(strings.NewReader(content[:half]), strings.NewReader(content[half:]))
	_, err := w.store.Put(w.t.Context(), key, body, o)
	switch {
	case err == nil && o.ExpiresAt.IsZero():
		w.ledger.note(event{verb: "stored", path: key, data: content})
	case errors.Is(err, storage.ErrExist):
		w.ledger.note(event{verb: "exists", path: key})
	}
	return err
}

// work does one of everything.
func work(t *testing.T, l *ledger, dir string) {
	now := time.Now()
	s, err := New(Options{Dir: dir, PublicURL: "http://files.test", Now: func() time.Time { return now }, disk: l})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := &worker{t: t, store: s, ledger: l}
	must := func(got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Fatalf("error %v, want %v", got, want)
		}
	}
	must(w.put("a", "first", storage.PutOptions{}), nil)
	must(w.put("b", "second", storage.PutOptions{}), nil)
	must(w.put("a", "other", storage.PutOptions{Replace: true}), nil)

	broken := errors.New("broken off")
	_, err = s.Put(t.Context(), keyOf(t, "c"), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), storage.PutOptions{SizeBytes: -1})
	must(err, broken)

	// One puts what another has just put, and not yet made sure of.
	l.linked = func() { must(w.put("d", "rival", storage.PutOptions{}), storage.ErrExist) }
	must(w.put("d", "winner", storage.PutOptions{}), nil)

	must(w.put("e", "old", storage.PutOptions{ExpiresAt: now.Add(time.Hour)}), nil)
	now = now.Add(2 * time.Hour)
	must(w.put("e", "new", storage.PutOptions{}), nil)

	l.note(event{verb: "deleting", path: keyOf(t, "b")})
	must(s.Delete(t.Context(), keyOf(t, "b")), nil)
	must(w.put("b", "third", storage.PutOptions{}), nil)
}

// inspect looks at what a new store finds after a crash.
func inspect(t *testing.T, dir string, events []event) {
	t.Helper()
	s, err := New(Options{Dir: dir, PublicURL: "http://files.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		key := keyOf(t, name)
		may, must := promises(events, key)
		got, err := content(t, s, key)
		switch {
		case errors.Is(err, storage.ErrNotExist) && must:
			t.Errorf("%s is gone, although it was stored", name)
		case err == nil && !slices.Contains(may, got):
			t.Errorf("%s holds %q, want one of %q", name, got, may)
		case err != nil && !errors.Is(err, storage.ErrNotExist):
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, tempDir)); err != nil || len(left) > 0 {
		t.Errorf("%d temporary files are left, error %v", len(left), err)
	}
}

// promises returns what a key may hold after some events, and whether it must
// hold any of that.
func promises(events []event, key string) (may []string, must bool) {
	for _, e := range events {
		switch {
		case e.path != key:
		case e.verb == "begin":
			may = append(may, e.data)
		case e.verb == "stored":
			may, must = []string{e.data}, true
		case e.verb == "exists":
			must = true
		case e.verb == "deleting":
			must = false
		}
	}
	return may, must
}

// content returns what a store holds under a key, if it is as the store says.
func content(t *testing.T, s *Store, key string) (string, error) {
	t.Helper()
	info, err := s.Stat(t.Context(), key)
	if err != nil {
		return "", err
	}
	body, opened, err := s.Open(t.Context(), key)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	if int64(len(text)) != info.SizeBytes || opened.SHA256 != info.SHA256 || sum(text) != info.SHA256 {
		return "", fmt.Errorf("%q is not what its record says: %+v", text, info)
	}
	return string(text), nil
}

func sum(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}
