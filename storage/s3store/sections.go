package s3store

import (
	"context"
	"fmt"
	"io"
	"sync"

	"cloudmirror/storage"
)

// sectionParts makes a part of each section of a body.
type sectionParts struct {
	*multipart
	from storage.Sections
	send func(*part)

	mu    sync.Mutex
	parts map[int]*sectionPart // by the section's index: those that are not checked
}

type sectionPart struct {
	*part
	sent bool
}

// readSections reads the rest of the body in sections.
func (m *multipart) readSections(ctx context.Context, from storage.Sections, body *source, send func(*part)) error {
	m.buffers.grow(maxSectionBuffers)
	s := &sectionParts{multipart: m, from: from, send: send, parts: make(map[int]*sectionPart)}
	err := storage.ReadSections(ctx, from, body.size, body.want, m.buffers.size, s)
	body.size = body.want
	for _, p := range s.parts { // of a reading that failed
		p.done()
		if !p.sent {
			p.done()
		}
	}
	return err
}

// Reserve implements storage.SectionSink.
func (s *sectionParts) Reserve(ctx context.Context, section storage.Section) error {
	data, err := s.buffers.next(ctx)
	if err != nil {
		return err
	}
	p, err := s.newPart(data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[section.Index] = &sectionPart{part: p}
	return nil
}

// Fill implements storage.SectionSink. A part is sent before it is checked:
// nothing is visible before all are.
func (s *sectionParts) Fill(_ context.Context, section storage.Section, r io.Reader) error {
	p := s.part(section)
	if err := p.data.readFull(r, section.Bytes); err != nil {
		return err
	}
	s.mu.Lock()
	p.sent = true
	s.mu.Unlock()
	s.send(p.part)
	return nil
}

// Check implements storage.SectionSink.
func (s *sectionParts) Check(_ context.Context, section storage.Section) error {
	p := s.part(section)
	for _, piece := range p.data.pieces {
		_, _ = s.digests.sha256.Write(piece) // hashes never fail
		_, _ = s.digests.crc32.Write(piece)
		if err := s.from.Verify(piece); err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
	}
	s.mu.Lock()
	delete(s.parts, section.Index)
	s.mu.Unlock()
	p.done()
	return nil
}

func (s *sectionParts) part(section storage.Section) *sectionPart {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[section.Index]
}
