package copier

import (
	"context"
	"io"
	"sync"

	"cloudmirror/origin"
	"cloudmirror/storage"
)

// A sectionedBody is the body of a copy that may be read over several connections
// (storage.SectionedBody). Each but the first takes a turn of the server as if it
// were a copy, so that the server sees no more of them, and counts as one against
// the copies that the copier makes at a time; it does not wait for either, for jobs
// go first that do.
type sectionedBody struct {
	*storedBody
	task     *task
	response *origin.Response
	server   *host
}

// Sections implements storage.SectionedBody. Where no second connection may be
// had now, there are none.
func (b *sectionedBody) Sections(sectionBytes int64) storage.Sections {
	if !b.task.tryConnection(b.server) {
		return nil
	}
	b.task.slot.pace.wait()
	from := b.response.Sections(sectionBytes)
	b.task.slot.pace.got(0)
	b.task.endConnection(b.server)
	if from == nil {
		return nil
	}
	return &sections{Sections: from, task: b.task, server: b.server}
}

// sections are the rest of a body. They verify themselves.
type sections struct {
	*origin.Sections
	task   *task
	server *host

	mu   sync.Mutex
	open int
}

// Open implements storage.Sections.
func (s *sections) Open(ctx context.Context, offset, n int64) (io.ReadCloser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.task.connections || s.open > 0 && !s.task.tryConnection(s.server) {
		return nil, false
	}
	body, ok := s.Sections.Open(ctx, offset, n)
	if !ok {
		if s.open > 0 {
			s.task.endConnection(s.server)
		}
		return nil, false
	}
	s.open++
	return &section{Reader: s.task.measured(ctx, body), body: body, sections: s}, true
}

// closed takes note that a section was closed. All but one of those that are open
// have a turn.
func (s *sections) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open > 0 {
		s.task.endConnection(s.server)
	}
}

// tryConnection reports whether the copy may have one more connection to a server
// now, which costs memory and a turn. If so, the caller calls endConnection.
func (t *task) tryConnection(server *host) bool {
	if !t.slot.tryConnection() {
		return false
	}
	if !server.tryConnection() {
		t.slot.endConnection()
		return false
	}
	return true
}

func (t *task) endConnection(server *host) {
	t.slot.endConnection()
	server.endConnection()
}

// A section is one connection's part of a body.
type section struct {
	io.Reader
	body     io.Closer
	sections *sections
}

// Close implements io.Closer.
func (s *section) Close() error {
	err := s.body.Close()
	s.sections.closed()
	return err
}
