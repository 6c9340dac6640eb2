package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"cloudmirror/storage"
)

// A source reads a body buffer by buffer.
type source struct {
	body  io.Reader
	want  int64 // the length that was told, or -1
	size  int64
	ahead []byte // at most one byte, read to see whether there is more
}

func newSource(body io.Reader, want int64) *source { return &source{body: body, want: want} }

// fill reads until the buffer is full or the body ends, and reports whether there
// is more. The end of ctx is noticed between reads.
func (s *source) fill(ctx context.Context, to *buffer) (more bool, err error) {
	for {
		space := to.space()
		if len(space) == 0 {
			return more, nil
		}
		n := 0
		n, more, err = s.fillPiece(ctx, space)
		to.add(n)
		if err != nil || !more {
			return false, err
		}
	}
}

func (s *source) fillPiece(ctx context.Context, space []byte) (filled int, more bool, err error) {
	n := copy(space, s.ahead)
	s.ahead = s.ahead[:0]
	read, err := s.read(ctx, space[n:])
	filled = n + read
	s.size += int64(filled)
	if err == nil && s.size < s.want {
		return filled, true, nil // so it was told
	}
	if err == nil {
		var one [1]byte
		read, err = s.read(ctx, one[:])
		s.ahead = append(s.ahead, one[:read]...)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // what wraps EOF is no end
		return 0, false, err
	}
	more = len(s.ahead) > 0
	if s.want >= 0 && (!more && s.size != s.want || more && s.size >= s.want) {
		return 0, false, fmt.Errorf("the body has another length than the %d bytes that were told", s.want)
	}
	return filled, more, nil
}

// sections returns what the rest is read from, if the body offers it, and nil
// otherwise.
func (s *source) sections(sectionBytes int64) storage.Sections {
	body, ok := s.body.(storage.SectionedBody)
	if !ok || s.want < 0 {
		return nil
	}
	return body.Sections(sectionBytes)
}

// read is io.ReadFull that looks at ctx and wraps the errors of the body. The end
// of the body is io.EOF, wherever it comes.
func (s *source) read(ctx context.Context, p []byte) (n int, err error) {
	for empty := 0; n < len(p); {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := s.body.Read(p[n:])
		n += m
		if err == io.EOF {
			return n, io.EOF
		}
		if err != nil {
			return n, fmt.Errorf("read the body: %w", err)
		}
		if empty++; m > 0 {
			empty = 0
		} else if empty == 100 {
			return n, errors.Join(errors.New("read the body"), io.ErrNoProgress)
		}
	}
	return n, nil
}

// digests are the hashes of a body.
type digests struct {
	sha256 hash.Hash
	crc32  hash.Hash32
}

func newDigests() *digests { return &digests{sha256: sha256.New(), crc32: crc32.NewIEEE()} }

func (d *digests) hexSHA256() string { return hex.EncodeToString(d.sha256.Sum(nil)) }
func (d *digests) base64CRC32() string {
	return base64.StdEncoding.EncodeToString(d.crc32.Sum(nil))
}
