package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"cloudmirror"
)

// What makes sections worth their connections.
const (
	minSections    = 4                // that an object has
	sectionTimeout = 10 * time.Second // for the answer to the first of them: the body rests meanwhile
)

// Sections are the rest of an object, which is read over several connections at
// once. They are safe for concurrent use, and end with Response.Body.
type Sections struct {
	body *body

	mu      sync.Mutex
	first   *section      // was asked for already; nil when it was opened
	limit   int           // sections that the origin lets be read at once, as far as is known
	open    int           // sections
	waiting int           // those of them that wait until fewer are read
	changed chan struct{} // closed and replaced when one is closed
}

// Sections returns what the rest of the object is read from, in sections of so
// many bytes; Body is not read any more then. It is nil if that would be no use or
// not safe: the object is not large, the origin fast enough, or does not serve
// ranges of what is surely the same object. Whether it does is found out by asking
// for the first section, while Body rests. It is called between reads of Body.
func (r *Response) Sections(sectionBytes int64) *Sections {
	b := r.body
	if b == nil || !b.isWorthSections(sectionBytes) {
		return nil
	}
	s := &Sections{body: b, limit: math.MaxInt, changed: make(chan struct{})}
	if s.first = s.ask(sectionBytes); s.first == nil {
		return nil
	}
	b.stream.close()
	b.sections = s
	b.end = b.failure(cloudmirror.CodeInternal, "the copy was stopped", errors.New("read of a body that is read in sections"))
	return s
}

func (b *body) isWorthSections(sectionBytes int64) bool {
	return b.end == nil && b.broken == nil && b.ranges && b.of.isSure &&
		b.total >= minSections*sectionBytes && b.total-b.offset > sectionBytes &&
		b.took.Seconds()*float64(b.exchange.client.options.EnoughBytesPerSecond) > float64(b.offset)
}

// ask asks for the first section. It is nil if the answer is not the right one.
func (s *Sections) ask(sectionBytes int64) *section {
	ctx, cancel := context.WithCancel(s.body.ctx)
	patience := time.AfterFunc(sectionTimeout, cancel)
	first := s.newSection(ctx, s.body.offset, sectionBytes)
	first.release = cancel
	rest, err := first.open(ctx, &byteRange{offset: first.offset, until: first.until, of: first.of})
	if err == nil && first.adopt(rest) == nil && patience.Stop() {
		return first
	}
	first.end()
	return nil
}

func (s *Sections) newSection(ctx context.Context, offset, n int64) *section {
	b := s.body
	e := b.exchange
	e.ownConnections = true
	return &section{sections: s, span: span{
		ctx: ctx, exchange: e, open: s.request, offset: offset, until: offset + n,
		total: b.total, of: b.of, ranges: true, progress: offset,
	}}
}

// request asks where the redirects led to: others may lead to another server,
// which knows the object by another ETag. Such an address may cease to be valid.
func (s *Sections) request(ctx context.Context, r *byteRange) (*stream, error) {
	e := s.body.exchange
	e.ownConnections = true
	e.object = s.body.stream.object
	rest, err := e.open(ctx, r)
	if f := cloudmirror.AsFailure(err); f != nil && f.Permanent && e.object != s.body.exchange.object {
		e.object = s.body.exchange.object
		return e.open(ctx, r)
	}
	return rest, err
}

// Open returns the n bytes from an offset on. It does not go to the network, and
// not wait; ok is false while the origin refuses to send more at once, but never
// while none is open. The section's Read fails like that of Response.Body; its
// io.EOF says that all n bytes came, and nothing of a digest. The end of ctx ends
// it. The caller closes it.
func (s *Sections) Open(ctx context.Context, offset, n int64) (io.ReadCloser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.limit {
		return nil, false
	}
	s.open++
	if first := s.first; first != nil {
		s.first = nil
		if first.offset == offset && first.until == offset+n {
			stop := context.AfterFunc(ctx, first.release)
			end := first.release
			first.ctx, first.release = ctx, func() { stop(); end() }
			return first, true
		}
		first.end()
	}
	return s.newSection(ctx, offset, n), true
}

// Verify gets the bytes of all sections in their order, by one call at a time.
// With the last ones it returns a failure if a digest that the origin stated does
// not hold.
func (s *Sections) Verify(p []byte) error {
	b := s.body
	b.offset += int64(len(p))
	b.verifier.write(p)
	if b.offset < b.total {
		return nil
	}
	if err := b.verify(); !isEnd(err) {
		return b.exchange.hide(err)
	}
	return nil
}

// close gives up what was asked for and not opened.
func (s *Sections) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil {
		s.first.end()
		s.first = nil
	}
}

func (s *Sections) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	close(s.changed)
	s.changed = make(chan struct{})
}

// standBack waits until fewer sections are read than when one of them failed, and
// reports whether it may be tried again. So an origin that refuses so many
// connections is read over fewer, at last over one.
func (s *Sections) standBack(ctx context.Context, f *cloudmirror.Failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := s.open - s.waiting - 1
	if f.Permanent || f.Code == cloudmirror.CodeObjectChanged || others == 0 {
		return false
	}
	s.limit = max(1, min(s.limit, others))
	s.waiting++
	defer func() { s.waiting-- }()
	for s.open-s.waiting >= s.limit {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// A section is one reader of some of an object's bytes.
type section struct {
	span
	sections *Sections
	failed   error  // what Read returns from now on
	release  func() // of the context of what was asked for first; may be nil
}

// Read implements io.Reader.
func (s *section) Read(p []byte) (int, error) {
	for s.failed == nil {
		if s.offset == s.until {
			s.failed = s.exchange.hide(s.readEnd())
			break
		}
		if s.stream == nil || s.broken != nil {
			failure := s.resume()
			if failure == nil {
				continue
			}
			if !s.sections.standBack(s.ctx, failure) {
				s.failed = s.exchange.hide(failure)
				break
			}
			s.resumed = 0
			continue
		}
		n, err := s.read(p[:min(int64(len(p)), s.until-s.offset)])
		s.offset += int64(n)
		if isEnd(err) && s.offset < s.until {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && !isEnd(err) {
			s.broken = err
		}
		if s.broken == nil && s.offset < s.until {
			s.failed = s.tooSlow()
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, s.failed
}

// readEnd makes sure that nothing follows, and lets the connection be used again.
// What breaks now does not matter: everything is there.
func (s *section) readEnd() error {
	if s.broken == nil {
		if n, _ := s.read(make([]byte, 1)); n > 0 {
			return s.failure(cloudmirror.CodeOriginTruncated, "the origin sent more than it was asked for",
				fmt.Errorf("asked for bytes up to %d", s.until))
		}
	}
	return io.EOF
}

// Close ends the section's requests.
func (s *section) Close() error {
	s.end()
	s.sections.closed()
	return nil
}

func (s *section) end() {
	if s.stream != nil {
		s.stream.close()
	}
	if s.release != nil {
		s.release()
	}
}
