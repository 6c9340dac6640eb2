package s3store

import (
	"fmt"
	"io"
)

// A buffer holds bytes of a body, up to the size that is reserved for it. It takes
// a chunk of memory only when there are bytes for it. It is used by one goroutine
// at a time.
type buffer struct {
	from    *Buffers
	pool    weights // what the reservation is counted in
	counted int64
	size    int64 // that it may hold
	length  int64 // that it holds
	pieces  pieces
}

// weights is the part of a semaphore that gives back.
type weights interface{ Release(n int64) }

// space returns where the next bytes go. It is empty if the buffer is full.
func (b *buffer) space() []byte {
	if b.length == b.size {
		return nil
	}
	last := len(b.pieces) - 1
	if last < 0 || len(b.pieces[last]) == chunkBytes {
		b.pieces = append(b.pieces, b.from.take())
		last++
	}
	piece := b.pieces[last]
	return piece[len(piece):min(chunkBytes, int64(len(piece))+b.size-b.length)]
}

// add makes the first n bytes of space part of the content.
func (b *buffer) add(n int) {
	if n > 0 {
		last := len(b.pieces) - 1
		b.pieces[last] = b.pieces[last][:len(b.pieces[last])+n]
		b.length += int64(n)
	}
}

// readFull reads n bytes.
func (b *buffer) readFull(r io.Reader, n int64) error {
	for left := n; left > 0; {
		space := b.space()
		read, err := io.ReadFull(r, space[:min(left, int64(len(space)))])
		b.add(read)
		if err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
		left -= int64(read)
	}
	return nil
}

// empty drops the content, and keeps the reservation.
func (b *buffer) empty() {
	b.from.giveBack(b.pieces)
	b.pieces, b.length = nil, 0
}

// reader returns the content, to be read as often as need be.
func (b *buffer) reader() io.ReadSeeker {
	return &contentReader{io.NewSectionReader(b.pieces, 0, b.length), b.pieces}
}

// A contentReader spares the SDK, which hashes bodies by io.Copy, a buffer.
type contentReader struct {
	*io.SectionReader
	pieces pieces
}

// WriteTo implements io.WriterTo.
func (r *contentReader) WriteTo(w io.Writer) (n int64, err error) {
	offset, err := r.Seek(0, io.SeekCurrent)
	for err == nil && offset < r.Size() {
		var written int
		written, err = w.Write(r.pieces[offset/chunkBytes][offset%chunkBytes:])
		offset, n = offset+int64(written), n+int64(written)
	}
	if err == nil {
		_, err = r.Seek(offset, io.SeekStart)
	}
	return n, err
}

// pieces are bytes in chunks, of which all but the last are full.
type pieces [][]byte

// ReadAt implements io.ReaderAt.
func (p pieces) ReadAt(to []byte, offset int64) (n int, err error) {
	for n < len(to) {
		i, at := offset/chunkBytes, offset%chunkBytes
		if i >= int64(len(p)) || at >= int64(len(p[i])) {
			return n, io.EOF
		}
		m := copy(to[n:], p[i][at:])
		n, offset = n+m, offset+int64(m)
	}
	return n, nil
}
