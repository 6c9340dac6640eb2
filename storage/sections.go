package storage

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// A SectionedBody is a body whose length is known and whose rest may be had in
// sections, several at once. A Provider that can make use of them reads its
// beginning in order, and then asks.
type SectionedBody interface {
	io.Reader

	// Sections returns what the rest is read from, in sections of so many bytes
	// each but for the last, and nothing more is read in order then. Nil: the
	// body is to be read on in order. It is called once at most, between reads.
	Sections(sectionBytes int64) Sections
}

// Sections are the rest of a body. They are safe for concurrent use.
type Sections interface {
	// Open returns the section of n bytes from an offset on. It does not wait; ok
	// is false if no more may be read at once for now, but never while none is
	// open. Sections are opened in their order. Reads end with ctx, and with
	// io.EOF only where the section ends; that proves nothing of its bytes.
	Open(ctx context.Context, offset, n int64) (section io.ReadCloser, ok bool)

	// Verify gets the bytes of all sections in their order, one call at a time.
	// With the last ones it says whether the whole body is what it should be: no
	// copy may be visible before that.
	Verify(p []byte) error
}

// A Section is a place in a body.
type Section struct {
	Index         int // the first has 0
	Offset, Bytes int64
}

// A SectionSink is where ReadSections puts sections.
type SectionSink interface {
	// Reserve waits until there is room for a section. Its calls come in the
	// order of sections.
	Reserve(ctx context.Context, s Section) error
	// Fill takes the bytes of a section, for which there is room, to the end of r.
	// It is called for several sections at once.
	Fill(ctx context.Context, s Section, r io.Reader) error
	// Check verifies a section that is filled. Its calls come one at a time, in
	// the order of sections.
	Check(ctx context.Context, s Section) error
}

// maxUnchecked bounds the sections that are read, or wait for those before them.
const maxUnchecked = 32

// ReadSections reads a body from an offset to its end in sections. It returns the
// first error of the sections or the sink, which ends the others; nothing is open
// or under way any more then.
func ReadSections(ctx context.Context, from Sections, offset, end, sectionBytes int64, to SectionSink) error {
	group, ctx := errgroup.WithContext(ctx)
	r := &sectionReading{
		from: from, to: to, group: group,
		closed: make(chan struct{}, 1), begun: make(chan begunSection, maxUnchecked),
	}
	group.Go(func() error {
		defer close(r.begun)
		for s := (Section{Offset: offset}); s.Offset < end; s.Index, s.Offset = s.Index+1, s.Offset+s.Bytes {
			s.Bytes = min(sectionBytes, end-s.Offset)
			if err := r.begin(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error { return r.check(ctx) })
	return group.Wait()
}

type sectionReading struct {
	from   Sections
	to     SectionSink
	group  *errgroup.Group
	closed chan struct{} // gets a value after each section that was closed
	begun  chan begunSection
}

type begunSection struct {
	Section
	filled chan struct{} // closed then
}

// begin has a section read, as soon as there is room and it may be opened.
func (r *sectionReading) begin(ctx context.Context, s Section) error {
	if err := r.to.Reserve(ctx, s); err != nil {
		return err
	}
	body, ok := r.from.Open(ctx, s.Offset, s.Bytes)
	for !ok {
		select {
		case <-r.closed:
			body, ok = r.from.Open(ctx, s.Offset, s.Bytes)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	begun := begunSection{Section: s, filled: make(chan struct{})}
	select {
	case r.begun <- begun:
	case <-ctx.Done():
		_ = body.Close() // nothing was read
		return ctx.Err()
	}
	r.group.Go(func() error {
		err := r.fill(ctx, s, body)
		_ = body.Close() // what it could say, Read has said
		select {
		case r.closed <- struct{}{}:
		default: // it is told already
		}
		if err == nil {
			close(begun.filled)
		}
		return err
	})
	return nil
}

// fill makes sure that a section is as long as it was asked for.
func (r *sectionReading) fill(ctx context.Context, s Section, body io.Reader) error {
	limited := &io.LimitedReader{R: body, N: s.Bytes}
	if err := r.to.Fill(ctx, s, limited); err != nil {
		return err
	}
	n, err := io.ReadFull(body, make([]byte, 1))
	if limited.N > 0 || n > 0 {
		return fmt.Errorf("storage: the section of %d bytes from %d on has another length", s.Bytes, s.Offset)
	}
	if err != io.EOF {
		return fmt.Errorf("storage: read the body: %w", err)
	}
	return nil
}

func (r *sectionReading) check(ctx context.Context) error {
	for s := range r.begun {
		select {
		case <-s.filled:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.to.Check(ctx, s.Section); err != nil {
			return err
		}
	}
	return nil
}
