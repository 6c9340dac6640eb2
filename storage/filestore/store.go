package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"cloudmirror/storage"
)

// The two rooms of a store's directory.
const (
	copiesDir = "copies"
	tempDir   = "tmp"
)

// Options configure a Store.
type Options struct {
	// Dir is the directory of the copies. It is created if it does not exist,
	// and nothing else may be kept in it.
	Dir string
	// PublicURL is the address at which clients find Handler, such as
	// http://host/objects/s3/us-east-1.
	PublicURL string
	// SectionBytes is the size of the sections of a large body. A quarter of it is
	// read in order before the body is asked for them. 0: 16 MiB.
	SectionBytes int64
	// SweepInterval is the pause between two sweeps of Run. 0: 10 minutes.
	SweepInterval time.Duration
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Logger gets what Handler and Run cannot return. nil: nobody.
	Logger *zap.Logger

	disk disk // nil: the real one
}

// A copyBuffer holds bytes on their way from a body to a file.
type copyBuffer [copyBufferBytes]byte

// A Store is a storage.Provider on a directory. It is safe for concurrent use.
type Store struct {
	root      *os.Root
	disk      disk
	sections  int64 // bytes of each
	publicURL string
	interval  time.Duration
	now       func() time.Time
	logger    *zap.Logger
	buffers   sync.Pool // of *copyBuffer

	// Whoever gives a name to a copy, or takes one away after having looked at
	// it, holds the lock of its path. The number bounds the memory.
	seed  maphash.Seed
	locks [64]sync.Mutex
}

var _ storage.Provider = (*Store)(nil)

// New opens a store, creating its directory if need be, and removes what a
// crash left of unfinished puts. Call Close when done.
func New(o Options) (*Store, error) {
	if u, err := url.Parse(o.PublicURL); err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fmt.Errorf("filestore: the public URL %q is no absolute URL", o.PublicURL)
	}
	if o.disk == nil {
		o.disk = realDisk{}
	}
	if err := makeDir(o.disk, o.Dir); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	s := &Store{
		root: root, disk: o.disk, sections: cmp.Or(o.SectionBytes, defaultSectionBytes), publicURL: strings.TrimSuffix(o.PublicURL, "/"), interval: o.SweepInterval,
		now: o.Now, logger: o.Logger, seed: maphash.MakeSeed(),
		buffers: sync.Pool{New: func() any { return new(copyBuffer) }},
	}
	if s.interval <= 0 {
		s.interval = 10 * time.Minute
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = zap.NewNop()
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("filestore: %w", err), root.Close())
	}
	return s, nil
}

func (s *Store) prepare() error {
	dirs := []string{tempDir, copiesDir}
	for i := range 256 {
		dirs = append(dirs, fmt.Sprintf("%s/%02x", copiesDir, i))
	}
	for _, dir := range dirs {
		if err := s.disk.mkdir(s.root, dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, dir := range []string{copiesDir, "."} {
		if err := syncDir(s.disk, s.root, dir); err != nil {
			return err
		}
	}
	_, err := s.sweepTemps(context.Background())
	return err
}

// Close lets go of the directory. Open bodies stay readable.
func (s *Store) Close() error {
	if err := s.root.Close(); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// Stat implements storage.Provider.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	c, err := s.find(ctx, key)
	if err != nil {
		return storage.Info{}, fmt.Errorf("filestore: stat %s: %w", key, err)
	}
	_ = c.Close() // it was only read
	return c.record.info(), nil
}

// Open implements storage.Provider.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	c, err := s.find(ctx, key)
	if err != nil {
		return nil, storage.Info{}, fmt.Errorf("filestore: open %s: %w", key, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(c.File, c.record.Size), c}, c.record.info(), nil
}

// Delete implements storage.Provider.
func (s *Store) Delete(ctx context.Context, key string) error {
	path, err := pathOf(key)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.disk.remove(s.root, path)
	}
	if isMissing(err) {
		err = s.alive()
	}
	if err != nil {
		return fmt.Errorf("filestore: delete %s: %w", key, err)
	}
	return nil
}

// URL implements storage.Provider.
func (s *Store) URL(_ context.Context, key, _ string) (storage.Link, error) {
	if _, _, _, err := splitKey(key); err != nil {
		return storage.Link{}, fmt.Errorf("filestore: %w", err)
	}
	return storage.Link{URL: s.publicURL + "/" + storage.EscapeKey(key)}, nil
}

// find opens the copy under key. The caller closes it.
func (s *Store) find(ctx context.Context, key string) (*stored, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := pathOf(key)
	if err != nil {
		return nil, err
	}
	c, err := s.open(path)
	if isMissing(err) {
		if err := s.alive(); err != nil {
			return nil, err
		}
		return nil, storage.ErrNotExist
	}
	if errors.Is(err, errNoCopy) {
		return nil, storage.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	if c.record.Key != key || c.record.expired(s.now()) {
		_ = c.Close()
		return nil, storage.ErrNotExist
	}
	return c, nil
}

// alive tells a directory that was removed or replaced beneath us from one that
// lacks a file: the former is no miss.
func (s *Store) alive() error {
	if _, err := s.root.Lstat(copiesDir); err != nil {
		return fmt.Errorf("the store's directory is gone: %w", err)
	}
	return nil
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (s *Store) lock(path string) *sync.Mutex {
	return &s.locks[maphash.String(s.seed, path)%uint64(len(s.locks))]
}
