package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/storage"
)

// object returns an object with a file name, whose keys the tests use.
func object(t testing.TB, rawURL string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// aKey is the key of a copy that most tests are about.
func aKey(t *testing.T) string {
	t.Helper()
	return object(t, "https://origin.example/pool/main/package_1.0.deb").StorageKey(cloudmirror.FirstGeneration)
}

// mustPut stores data, with its length told.
func (f *fixture) mustPut(t *testing.T, key string, data []byte, o storage.PutOptions) storage.Info {
	t.Helper()
	o.SizeBytes = int64(len(data))
	info, err := f.Provider.Put(t.Context(), key, stream(data), o)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	return info
}

// wantCopy checks that key holds data, by Stat and by Open, and returns its Info.
func (f *fixture) wantCopy(t *testing.T, key string, data []byte) storage.Info {
	t.Helper()
	info, err := f.Provider.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat: %v", err)
	}
	got, opened, err := f.read(t.Context(), key)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("Open gave %d bytes %s…, want %d bytes %s…", len(got), digest(got)[:8], len(data), digest(data)[:8])
	}
	if diff := cmp.Diff(info, opened); diff != "" {
		t.Errorf("Open and Stat differ (-Stat +Open):\n%s", diff)
	}
	if info.SizeBytes != int64(len(data)) {
		t.Errorf("SizeBytes is %d, want %d", info.SizeBytes, len(data))
	}
	if want := digest(data); info.SHA256 != want {
		t.Errorf("SHA256 is %q, want %q", info.SHA256, want)
	}
	return info
}

// read returns the bytes that Open gives.
func (f *fixture) read(ctx context.Context, key string) ([]byte, storage.Info, error) {
	body, info, err := f.Provider.Open(ctx, key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	data, err := io.ReadAll(body)
	return data, info, errors.Join(err, body.Close())
}

// wantNothing checks that key does not exist.
func (f *fixture) wantNothing(t *testing.T, key string) {
	t.Helper()
	if _, err := f.Provider.Stat(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Stat gave %v, want ErrNotExist", err)
	}
	if _, _, err := f.read(t.Context(), key); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("Open gave %v, want ErrNotExist", err)
	}
}

// wantContents checks that the storage holds what it held before, and no more.
func (f *fixture) wantContents(t *testing.T, before []string) {
	t.Helper()
	after := f.Contents(t)
	slices.Sort(before)
	slices.Sort(after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the storage holds something else than before (-before +after):\n%s", diff)
	}
}

// wantTime checks a time that may have been cut to seconds.
func wantTime(t *testing.T, name string, got, want time.Time) {
	t.Helper()
	if got.IsZero() != want.IsZero() || got.Sub(want).Abs() > time.Second {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// fetch asks for a public URL and returns the answer, its body read.
func (f *fixture) fetch(t *testing.T, key, method string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	link, err := f.Provider.URL(t.Context(), key, method)
	if err != nil {
		t.Fatalf("URL: %v", err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, link.URL, http.NoBody)
	if err != nil {
		t.Fatalf("URL gave %q: %v", link.URL, err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := f.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, link.URL, err)
	}
	return response, body
}
