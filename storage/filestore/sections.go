package filestore

import (
	"context"
	"fmt"
	"io"

	"cloudmirror/storage"
)

// defaultSectionBytes is the size of the sections of a body that offers them.
const defaultSectionBytes = 16 << 20

// beginningShare is how many times a section is as long as the beginning, which
// is read in order: until it is there, one connection is all that a copy has.
const beginningShare = 4

// fileSections writes the sections of a body to their places in a file.
type fileSections struct {
	store *Store
	file  *diskWriter
	hash  io.Writer
	from  storage.Sections
}

// Reserve implements storage.SectionSink. A file has room.
func (f *fileSections) Reserve(context.Context, storage.Section) error { return nil }

// Fill implements storage.SectionSink.
func (f *fileSections) Fill(ctx context.Context, section storage.Section, r io.Reader) error {
	buffer := f.store.buffers.Get().(*copyBuffer)
	defer f.store.buffers.Put(buffer)
	place := &diskWriter{disk: f.file.disk, file: f.file.file, offset: section.Offset}
	_, err := io.CopyBuffer(place, &contextReader{ctx: ctx, body: r}, buffer[:])
	return err
}

// Check implements storage.SectionSink. It reads back what was written: buffers
// that hold sections until their turn would be a lot of memory.
func (f *fileSections) Check(ctx context.Context, section storage.Section) error {
	buffer := f.store.buffers.Get().(*copyBuffer)
	defer f.store.buffers.Put(buffer)
	written := io.NewSectionReader(f.file.file, section.Offset, section.Bytes)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(written, buffer[:])
		if err == io.EOF {
			return nil
		}
		if err != nil && !isBodyEnd(err) {
			return err
		}
		_, _ = f.hash.Write(buffer[:n]) // hashes never fail
		if err := f.from.Verify(buffer[:n]); err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
	}
}
