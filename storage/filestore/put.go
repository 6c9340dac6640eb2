package filestore

import (
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

// copyBufferBytes is the memory of one running put.
const copyBufferBytes = 256 << 10

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
	buffer := s.buffers.Get().(*[copyBufferBytes]byte)
	defer s.buffers.Put(buffer)
	if err := t.write(&contextReader{ctx: ctx, body: body}, o.SizeBytes, &r, buffer[:]); err != nil {
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
func (t *temp) write(body io.Reader, wantBytes int64, r *record, buffer []byte) error {
	if wantBytes >= 0 {
		body = io.LimitReader(body, wantBytes+1)
	}
	hash := sha256.New()
	file := diskWriter{disk: t.disk, file: t.File}
	size, err := io.CopyBuffer(io.MultiWriter(file, hash), body, buffer)
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
