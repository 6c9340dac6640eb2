package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A disk makes all changes of files and directories that a crash of the machine
// may lose or tear. It is a seam for the test that plays such crashes: what was
// written to a file is safe only after a sync of the file, and a change of names
// only after a sync of their directory.
type disk interface {
	mkdir(root *os.Root, path string) error
	create(root *os.Root, path string) (*os.File, error)
	write(file *os.File, p []byte, offset int64) (int, error)
	sync(file *os.File) error // of a file or a directory
	link(root *os.Root, from, to string) error
	rename(root *os.Root, from, to string) error
	remove(root *os.Root, path string) error
}

// realDisk is the operating system's.
type realDisk struct{}

func (realDisk) mkdir(root *os.Root, path string) error { return root.Mkdir(path, 0o700) }

func (realDisk) create(root *os.Root, path string) (*os.File, error) {
	return root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

func (realDisk) write(file *os.File, p []byte, offset int64) (int, error) {
	return file.WriteAt(p, offset)
}

func (realDisk) sync(file *os.File) error                    { return file.Sync() }
func (realDisk) link(root *os.Root, from, to string) error   { return root.Link(from, to) }
func (realDisk) rename(root *os.Root, from, to string) error { return root.Rename(from, to) }
func (realDisk) remove(root *os.Root, path string) error     { return root.Remove(path) }

// makeDir makes a directory and all that is missing above it, durably.
func makeDir(d disk, dir string) error {
	dir = filepath.Clean(dir)
	var missing []string
	base := dir
	for {
		_, err := os.Stat(base)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, filepath.Base(base))
		base = filepath.Dir(base)
	}
	for _, name := range slices.Backward(missing) {
		if err := makeIn(d, base, name); err != nil {
			return err
		}
		base = filepath.Join(base, name)
	}
	return nil
}

func makeIn(d disk, parent, name string) error {
	root, err := os.OpenRoot(parent)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := d.mkdir(root, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(d, root, ".")
}

// syncDir makes the entries of a directory durable.
func syncDir(d disk, root *os.Root, path string) error {
	dir, err := root.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(dir), dir.Close())
}

// diskWriter writes a file through its disk, from an offset on.
type diskWriter struct {
	disk   disk
	file   *os.File
	offset int64
}

func (w *diskWriter) Write(p []byte) (int, error) {
	n, err := w.disk.write(w.file, p, w.offset)
	w.offset += int64(n)
	return n, err
}
