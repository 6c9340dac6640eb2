package s3store

import (
	"context"
	"sync"
)

// What one upload uses at most.
const (
	maxBuffers        = 3  // one that is being filled while two are on their way
	maxSectionBuffers = 12 // of a body that is read in sections: eight of them, and four on their way
)

// A share is the buffers of one upload: one that it keeps to its end, so that it
// can always go on, and others for as long as a part is on its way in them.
type share struct {
	from *Buffers
	size int64 // of each buffer
	most int

	mu    sync.Mutex
	held  int
	idle  *buffer       // the last one that is held, if nothing is in it
	freed chan struct{} // gets a value after each release
}

// newShare begins with a buffer that the caller got.
func newShare(from *Buffers, first *buffer) *share {
	return &share{from: from, size: first.size, most: maxBuffers, held: 1, freed: make(chan struct{}, 1)}
}

// next returns a buffer to fill, when there is one.
func (s *share) next(ctx context.Context) (*buffer, error) {
	for {
		if data := s.tryNext(); data != nil {
			return data, nil
		}
		select {
		case <-s.freed: // all that are held are on their way, so one will be
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *share) tryNext() *buffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data := s.idle; data != nil {
		s.idle = nil
		return data
	}
	if s.held < s.most {
		if data, ok := s.from.try(s.size); ok {
			s.held++
			return data
		}
	}
	return nil
}

// grow lets the upload use more buffers.
func (s *share) grow(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

// release gives a buffer back: to whoever waits, unless it is the last.
func (s *share) release(data *buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held > 1 {
		s.held--
		s.from.put(data)
	} else {
		data.empty()
		s.idle = data
	}
	select {
	case s.freed <- struct{}{}:
	default: // it is told already
	}
}

// close gives the last buffer back. All must have been released.
func (s *share) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from.put(s.idle)
	s.idle, s.held = nil, 0
}
