package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
)

func TestKeysStayInside(t *testing.T) {
	outside := t.TempDir()
	s := newStore(t, filepath.Join(outside, "store"))
	hash := object(t).Hash()
	for _, key := range []string{
		"", "/", "x", "../x", "/etc/passwd", hash, hash + "/", hash + "/..", hash + "/.", hash + "/0/", hash + "/0/..", hash + "/0/.",
		hash + "/../../x", hash + "/0/../../../../x", hash + "/0/a/b", hash + "/0/a\x00b", hash + `/0/a\b`, hash + "//x", hash + "/A/x",
		hash[:63] + "/0/x", hash + "0/0/x", strings.ToUpper(hash) + "/0/x", hash + "/0/" + strings.Repeat("n", 256),
		hash + "/" + strings.Repeat("1", 65) + "/x", "/" + hash + "/0/x", " " + hash[1:] + "/0/x", "copies/" + hash + "/0/x",
	} {
		_, putErr := s.Put(t.Context(), key, strings.NewReader("x"), storage.PutOptions{SizeBytes: 1})
		_, statErr := s.Stat(t.Context(), key)
		_, _, openErr := s.Open(t.Context(), key)
		_, urlErr := s.URL(t.Context(), key, "GET")
		for call, err := range map[string]error{"Put": putErr, "Stat": statErr, "Open": openErr, "URL": urlErr, "Delete": s.Delete(t.Context(), key)} {
			if err == nil || errors.Is(err, storage.ErrNotExist) {
				t.Errorf("%s of the key %q gave %v, want an error about the key", call, key, err)
			}
		}
	}
	if found := files(t, outside); len(found) != 0 {
		t.Errorf("there are files: %v", found)
	}
}

func TestLinksDoNotLeadOutside(t *testing.T) {
	s := newStore(t, t.TempDir())
	outside := t.TempDir()
	hash := object(t).Hash()
	shard := filepath.Join(s.dir, "copies", hash[:2])
	if err := errors.Join(os.Remove(shard), os.Symlink(outside, shard)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), object(t).StorageKey("0"), strings.NewReader("x"), storage.PutOptions{SizeBytes: 1}); err == nil {
		t.Error("Put followed a symbolic link out of the directory")
	}
	if found := files(t, outside); len(found) != 0 {
		t.Errorf("there are files outside: %v", found)
	}
}

func TestCopiesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := newStore(t, dir).Stat(t.Context(), object(t).StorageKey("0"))
	if err != nil || info.SizeBytes != 4 {
		t.Errorf("Stat after a restart gave %+v, %v", info, err)
	}
}

// What a crash leaves, whatever part of a file reached the disk, is no copy, and
// does not stand in the way of one.
func TestTornFileIsNoCopy(t *testing.T) {
	s := newStore(t, t.TempDir())
	key := object(t).StorageKey("0")
	const data = "the bytes"
	mustPut(t, s, key, data, storage.PutOptions{})
	path := files(t, s.dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := map[string][]byte{"longer than it was": append(whole[:len(whole):len(whole)], 0)}
	for length := range whole {
		torn[fmt.Sprintf("cut to %d bytes", length)] = whole[:length]
	}
	for position := len(data); position < len(whole); position++ {
		if whole[position] != 0 { // the length has zeros
			torn[fmt.Sprintf("byte %d never written", position)] = slices.Replace(slices.Clone(whole), position, position+1, 0)
		}
	}
	for name, content := range torn {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("%s: Stat gave %v, want ErrNotExist", name, err)
		}
	}
	mustPut(t, s, key, "again", storage.PutOptions{})
	if info, err := s.Stat(t.Context(), key); err != nil || info.SizeBytes != 5 {
		t.Errorf("Stat after another put gave %+v, %v", info, err)
	}
}

func TestRestartRemovesUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "tmp", "crashed"), []byte("half a co"), 0o600); err != nil {
		t.Fatal(err)
	}
	// One process takes over while another still writes.
	var during []string
	body := io.MultiReader(strings.NewReader("copy"), readerFunc(func([]byte) (int, error) {
		newStore(t, dir)
		during = files(t, filepath.Join(dir, "tmp"))
		return 0, io.EOF
	}))
	if _, err := s.Put(t.Context(), object(t).StorageKey("0"), body, storage.PutOptions{SizeBytes: -1}); err != nil {
		t.Fatalf("a put while another process starts: %v", err)
	}
	if len(during) != 1 || strings.HasSuffix(during[0], "crashed") {
		t.Errorf("after the restart there are %v, want only the file being written", during)
	}
	if left := files(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("after all there are %v", left)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSweep(t *testing.T) {
	s := newStore(t, t.TempDir())
	o := object(t)
	mustPut(t, s, o.StorageKey("short"), "short", storage.PutOptions{ExpiresAt: time.Now().Add(time.Hour)})
	mustPut(t, s, o.StorageKey("long"), "long", storage.PutOptions{ExpiresAt: time.Now().Add(9 * time.Hour)})
	mustPut(t, s, o.MarkerKey(), "long", storage.PutOptions{})
	stranger := filepath.Join(s.dir, "copies", o.Hash()[:2], "README")
	if err := os.WriteFile(stranger, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if swept := sweep(t, s); swept != (filestore.Swept{}) {
		t.Errorf("before the time the sweep removed %+v", swept)
	}
	body, _, err := s.Open(t.Context(), o.StorageKey("short"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()

	s.advance(2 * time.Hour)
	if swept := sweep(t, s); swept != (filestore.Swept{Copies: 1, Bytes: 5}) {
		t.Errorf("the sweep removed %+v, want the short-lived copy", swept)
	}
	if data, err := io.ReadAll(body); err != nil || string(data) != "short" {
		t.Errorf("a copy that was open gave %q, %v", data, err)
	}
	if _, err := s.Stat(t.Context(), o.StorageKey("long")); err != nil {
		t.Errorf("the long-lived copy: %v", err)
	}

	s.advance(100 * time.Hour)
	sweep(t, s)
	if left := len(files(t, s.dir)); left != 2 { // the marker, and the stranger
		t.Errorf("%d files are left: %v", left, files(t, s.dir))
	}
}

func sweep(t *testing.T, s *testStore) filestore.Swept {
	t.Helper()
	swept, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

func TestSweepEndsWithItsContext(t *testing.T) {
	s := newStore(t, t.TempDir())
	mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{ExpiresAt: time.Now().Add(-time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sweep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Sweep gave %v", err)
	}
}

// A sweep that saw an expired copy must not remove the one that took its place:
// here a put comes while the sweep asks for the time.
func TestSweepDoesNotRemoveWhatIsNew(t *testing.T) {
	var asked func() // by the sweep's goroutine, which is the test's
	s, err := filestore.New(filestore.Options{Dir: t.TempDir(), PublicURL: "http://host", Now: func() time.Time {
		if hook := asked; hook != nil {
			asked = nil
			hook()
		}
		return time.Now()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := object(t).StorageKey("0")
	mustPut(t, s, key, "expired", storage.PutOptions{ExpiresAt: time.Now().Add(-time.Second)})
	put := make(chan error, 1)
	asked = func() {
		go func() {
			_, err := s.Put(context.WithoutCancel(t.Context()), key, strings.NewReader("new"), storage.PutOptions{SizeBytes: 3, Replace: true})
			put <- err
		}()
		select {
		case err := <-put: // it was not held up, and must win
			put <- err
		case <-time.After(100 * time.Millisecond):
		}
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), key); err != nil {
		t.Errorf("the new copy: %v", err)
	}
}

func TestRunSweepsUntilItsContextEnds(t *testing.T) {
	swept := make(chan zapcore.Entry, 1)
	core, _ := observer.New(zap.InfoLevel)
	s, err := filestore.New(filestore.Options{
		Dir: t.TempDir(), PublicURL: "http://host",
		Logger: zap.New(core, zap.Hooks(func(e zapcore.Entry) error { swept <- e; return nil })),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{ExpiresAt: time.Now().Add(-time.Hour)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	if e := <-swept; e.Level != zap.InfoLevel {
		t.Errorf("Run logged %s: %s", e.Level, e.Message)
	}
	cancel()
	<-done
}

func TestNewTellsWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]filestore.Options{
		"a file for a directory": {Dir: file, PublicURL: "http://host/objects"},
		"no public URL":          {Dir: t.TempDir()},
		"a relative public URL":  {Dir: t.TempDir(), PublicURL: "/objects"},
	} {
		if _, err := filestore.New(o); err == nil {
			t.Errorf("%s: New gave no error", name)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	s := newStore(t, filepath.Join(t.TempDir(), "new"))
	mustPut(t, s, object(t).StorageKey("0"), "copy", storage.PutOptions{Source: "https://origin.example/?secret"})
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
