package filestore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"cloudmirror/storage"
)

// The memory of one running put: the bytes of a buffer, and how many of them a
// body has that does not fit into one.
const (
	copyBufferBytes = 256 << 10
	copyBuffers     = 3 // one that is filled and written, others that are hashed meanwhile
)

// Put implements storage.Provider. The end of ctx is noticed between reads: a
// body that may block must end with ctx itself.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	info, err := s.put(ctx, key, body, o)
	if err != nil {
		return storage.Info{}, fmt.Errorf("filestore: put %s: %w", key, err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	target, err := pathOf(key)
	if err != nil {
		return storage.Info{}, err
	}
	if !o.Replace { // link decides, but why copy for nothing
		if c, err := s.find(ctx, key); err == nil {
			_ = c.Close()
			return storage.Info{}, s.exists(target)
		} else if !errors.Is(err, storage.ErrNotExist) {
			return storage.Info{}, err
		}
	}
	t, err := s.newTemp()
	if err != nil {
		return storage.Info{}, err
	}
	defer s.discard(t)
	r := record{Key: key, StoredAt: s.now().UTC(), ExpiresAt: o.ExpiresAt.UTC(), Source: o.Source, Header: keep(o.Header)}
	if err := s.write(ctx, t, body, o.SizeBytes, &r); err != nil {
		return storage.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return storage.Info{}, err
	}
	if err := s.commit(t, target, o.Replace); err != nil {
		return storage.Info{}, err
	}
	return r.info(), nil
}

// write fills the file with the body and its record, and syncs it.
func (s *Store) write(ctx context.Context, t *temp, body io.Reader, wantBytes int64, r *record) error {
	hash := sha256.New()
	file := &diskWriter{disk: t.disk, file: t.File}
	size, err := s.fill(ctx, file, hash, body, wantBytes)
	if err != nil {
		return err
	}
	if wantBytes >= 0 && size != wantBytes {
		return fmt.Errorf("the body has another length than the %d bytes that were told", wantBytes)
	}
	r.Size, r.SHA256 = size, hex.EncodeToString(hash.Sum(nil))
	end, err := r.encode()
	if err != nil {
		return err
	}
	if _, err := file.Write(end); err != nil {
		return err
	}
	return t.disk.sync(t.File)
}

// fill fills the file and the hash with the body, which is read in sections if it
// offers that.
func (s *Store) fill(ctx context.Context, file *diskWriter, hash io.Writer, body io.Reader, wantBytes int64) (size int64, err error) {
	whole := io.Reader(&contextReader{ctx: ctx, body: body})
	if wantBytes >= 0 {
		whole = io.LimitReader(whole, wantBytes+1)
	}
	if sectioned, ok := body.(storage.SectionedBody); ok && wantBytes > s.sections {
		beginning := s.sections / beginningShare
		if size, err = s.pour(file, hash, io.LimitReader(whole, beginning)); err != nil || size < beginning {
			return size, err
		}
		if from := sectioned.Sections(s.sections); from != nil {
			to := &fileSections{store: s, file: file, hash: hash, from: from}
			err = storage.ReadSections(ctx, from, size, wantBytes, s.sections, to)
			file.offset = wantBytes
			return wantBytes, err
		}
	}
	rest, err := s.pour(file, hash, whole)
	return size + rest, err
}

// pour copies the body to the file and, beside that, to the hash.
func (s *Store) pour(file, hash io.Writer, body io.Reader) (size int64, err error) {
	buffer := s.buffers.Get().(*copyBuffer)
	n, err := io.ReadFull(body, buffer[:])
	if err != nil { // a small body is not worth a goroutine
		defer s.buffers.Put(buffer)
		if !isBodyEnd(err) {
			return 0, err
		}
		_, _ = hash.Write(buffer[:n]) // hashes never fail
		_, err = file.Write(buffer[:n])
		return int64(n), err
	}
	free := make(chan *copyBuffer, copyBuffers)
	for range copyBuffers - 1 {
		free <- s.buffers.Get().(*copyBuffer)
	}
	digester := storage.NewDigester(hash)
	for {
		full := buffer
		digester.Add(func() { free <- full }, full[:n])
		size += int64(n)
		if _, writeErr := file.Write(full[:n]); writeErr != nil || err != nil {
			err = cmp.Or(writeErr, err)
			break
		}
		buffer = <-free
		n, err = io.ReadFull(body, buffer[:])
	}
	digester.Close()
	close(free)
	for buffer := range free {
		s.buffers.Put(buffer)
	}
	if isBodyEnd(err) {
		err = nil
	}
	return size, err
}

// isBodyEnd reports whether io.ReadFull met the end of a body. An error that wraps
// io.EOF is none.
func isBodyEnd(err error) bool {
	return err == io.EOF || err == io.ErrUnexpectedEOF //nolint:errorlint // see above
}

// commit gives the whole and synced file its name, durably.
func (s *Store) commit(t *temp, target string, replace bool) error {
	if err := s.name(t, target, replace); err != nil {
		return err
	}
	return syncDir(s.disk, s.root, path.Dir(target))
}

// exists says that a copy is there, surely: whoever made it may not have come to
// sync its name yet.
func (s *Store) exists(target string) error {
	if err := syncDir(s.disk, s.root, path.Dir(target)); err != nil {
		return err
	}
	return storage.ErrExist
}

func (s *Store) name(t *temp, target string, replace bool) error {
	lock := s.lock(target)
	lock.Lock()
	defer lock.Unlock()
	if replace {
		return s.disk.rename(s.root, t.path, target)
	}
	err := s.disk.link(s.root, t.path, target)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	c, err := s.open(target)
	switch {
	case err == nil:
		_ = c.Close() // it was only read
		if !c.record.expired(s.now()) {
			return s.exists(target)
		}
	case !errors.Is(err, errNoCopy) && !isMissing(err):
		return err
	}
	return s.disk.rename(s.root, t.path, target) // over what is expired, or nothing of ours
}

// contextReader ends with its context and marks the errors of the body.
type contextReader struct {
	ctx  context.Context //nolint:containedctx // it lives for one call
	body io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.body.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // an error that wraps EOF is no end
		err = fmt.Errorf("read the body: %w", err)
	}
	return n, err
}
