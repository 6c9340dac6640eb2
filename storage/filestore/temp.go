package filestore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"cloudmirror"
)

// A temp is a file that gets a name of its own only when it is whole. Its writer
// holds a lock on it: a temporary file without one was left by a crash.
type temp struct {
	*os.File
	path string
	disk disk
}

func (s *Store) newTemp() (*temp, error) {
	for {
		path := tempDir + "/" + cloudmirror.NewID()
		file, err := s.disk.create(s.root, path)
		if err != nil {
			return nil, err
		}
		t := &temp{File: file, path: path, disk: s.disk}
		// A sweep of another process may have come between.
		if lockFile(file) == nil && s.isAt(file, path) {
			return t, nil
		}
		s.discard(t)
	}
}

// discard closes a temporary file and removes its first name, if it has it still.
func (s *Store) discard(t *temp) {
	_ = s.disk.remove(s.root, t.path)
	_ = t.Close()
}

func (s *Store) isAt(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := s.root.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}

// sweepTemps removes the temporary files that nobody writes.
func (s *Store) sweepTemps(ctx context.Context) (removed int, err error) {
	err = s.eachEntry(ctx, tempDir, func(path string, _ fs.DirEntry) error {
		file, err := s.root.Open(path)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
		if lockFile(file) != nil {
			return nil // its writer is at work
		}
		if err := s.disk.remove(s.root, path); err != nil && !isMissing(err) {
			return err
		}
		removed++
		return nil
	})
	return removed, err
}

// lockFile takes the lock of an open file, or fails if another opening has it.
// It ends with the file's last descriptor, so also with the process.
func lockFile(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // descriptors are small
	})
	return errors.Join(err, lockErr)
}

// eachEntry calls visit with the path of each entry of a directory, some at a
// time, until it fails or ctx ends.
func (s *Store) eachEntry(ctx context.Context, path string, visit func(path string, entry fs.DirEntry) error) error {
	dir, err := s.root.Open(path)
	if isMissing(err) {
		return nil // another sweep was faster
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(256)
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := visit(path+"/"+entry.Name(), entry); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
