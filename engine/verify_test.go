package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"cloudmirror/engine"
	"cloudmirror/storage"
)

// A bodyStorage opens another body than it has.
type bodyStorage struct {
	storage.Provider
	key  string
	body io.Reader
	info func(*storage.Info)
}

func (s bodyStorage) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	body, info, err := s.Provider.Open(ctx, key)
	if err != nil || key != s.key {
		return body, info, err
	}
	if s.info != nil {
		s.info(&info)
	}
	return struct {
		io.Reader
		io.Closer
	}{s.body, body}, info, nil
}

func TestVerify(t *testing.T) {
	other := "X" + content[1:]
	tests := []struct {
		name    string
		body    io.Reader
		info    func(*storage.Info)
		verdict engine.Verdict // "": an error
	}{
		{"the bytes that were stored", strings.NewReader(content), nil, engine.Good},
		{"another byte", strings.NewReader(other), nil, engine.Damaged},
		{"a byte too few", strings.NewReader(content[1:]), nil, engine.Damaged},
		{"a byte too many", strings.NewReader(content + "X"), nil, engine.Damaged},
		{"nothing", strings.NewReader(""), nil, engine.Damaged},
		{"other bytes, of which the storage complains", io.MultiReader(strings.NewReader(other), iotest.ErrReader(errBroken)), nil, engine.Damaged},
		{"a broken read", io.MultiReader(strings.NewReader(content[:5]), iotest.ErrReader(errBroken)), nil, ""},
		{"a read that breaks at its end", io.MultiReader(strings.NewReader(content), iotest.ErrReader(errBroken)), nil, ""},
		{"no digest", strings.NewReader(content), func(i *storage.Info) { i.SHA256 = "" }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.makePresent()
			key := w.want.Object.StorageKey(w.peek().Entry.Generation)
			v, err := engine.Verify(t.Context(), bodyStorage{Provider: w.storage, key: key, body: tt.body, info: tt.info}, w.want.Object)
			if failed := err != nil; failed != (tt.verdict == "") || !failed && v.Verdict != tt.verdict {
				t.Errorf("verdict %q, error %v, want %q", v.Verdict, err, tt.verdict)
			}
			if err == nil && (v.Info.SizeBytes != int64(len(content)) || v.Info.SHA256 == "" || (v.SHA256 == v.Info.SHA256) != (tt.verdict == engine.Good)) {
				t.Errorf("found %+v", v)
			}
		})
	}
}

func TestVerifyTakesABrokenStorageForNoVerdict(t *testing.T) {
	w := newWorld(t)
	v, err := engine.Verify(t.Context(), w.storage, w.want.Object)
	if err != nil || v.Verdict != engine.Absent {
		t.Errorf("without a copy: verdict %q, error %v", v.Verdict, err)
	}
	if _, err := engine.Verify(t.Context(), closedStorage{w.storage}, w.want.Object); !errors.Is(err, errBroken) {
		t.Errorf("with a broken storage: error %v", err)
	}
}

type closedStorage struct{ storage.Provider }

func (closedStorage) Open(context.Context, string) (io.ReadCloser, storage.Info, error) {
	return nil, storage.Info{}, errBroken
}
