package filestore_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
	"cloudmirror/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partBytes = 1 << 20 // so that the suite has sections

func TestProvider(t *testing.T) {
	client := stranger(t)
	storagetest.Run(t, storagetest.Harness{
		New: func(t *testing.T) storagetest.Storage {
			s := newStore(t, t.TempDir())
			return storagetest.Storage{
				Provider: s.Store,
				Contents: func(t *testing.T) []string { return files(t, s.dir) },
				Advance:  s.advance,
			}
		},
		Broken: map[string]func(t *testing.T) storage.Provider{
			"its directory was removed": func(t *testing.T) storage.Provider {
				s := newStore(t, t.TempDir())
				if err := os.RemoveAll(s.dir); err != nil {
					t.Fatal(err)
				}
				return s.Store
			},
			"it is closed": func(t *testing.T) storage.Provider {
				s := newStore(t, t.TempDir())
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				return s.Store
			},
		},
		Client:    client,
		PartBytes: partBytes,
	})
}

// A store under test, served, with a clock that can be moved.
type testStore struct {
	*filestore.Store
	dir string
	url string // of its handler

	mu     sync.Mutex
	offset time.Duration
}

func newStore(t testing.TB, dir string) *testStore {
	t.Helper()
	s := &testStore{dir: dir}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL + "/objects/s3/eu-west-1"
	store, err := filestore.New(filestore.Options{Dir: dir, PublicURL: s.url, Now: s.now, SectionBytes: partBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // some tests close it themselves
	s.Store = store
	server.Config.Handler = http.StripPrefix("/objects/s3/eu-west-1", store.Handler())
	return s
}

func (s *testStore) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.offset)
}

func (s *testStore) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// stranger returns a client that knows nothing and decodes nothing.
func stranger(t testing.TB) *http.Client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// files lists the files below a directory, without the directories.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
