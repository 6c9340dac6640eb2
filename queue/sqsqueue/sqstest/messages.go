package sqstest

import (
	"slices"
	"time"
)

// maxVisibility is how long a message can be hidden in all.
const maxVisibility = 12 * time.Hour

// messages is one queue.
type messages struct {
	name       string
	attributes map[string]string
	tags       map[string]string
	visibility time.Duration
	wait       time.Duration
	redrive    redrive
	list       []*message
}

// redrive moves messages that were received maxReceives times to the target.
type redrive struct {
	target      string
	maxReceives int // 0: no policy
}

type message struct {
	id         string
	body       string
	attributes map[string]attribute
	handle     string // of the newest receive; "" before the first one
	receives   int
	sentAt     time.Time
	receivedAt time.Time // the newest receive
	visibleAt  time.Time // the end of its delay, or of its visibility timeout
}

// attribute is a message attribute. Only strings are known here.
type attribute struct {
	DataType    string
	StringValue string
}

func (q *messages) count(now time.Time) (ready, delayed, inFlight int) {
	for _, m := range q.list {
		switch {
		case !m.visibleAt.After(now):
			ready++
		case m.receives == 0:
			delayed++
		default:
			inFlight++
		}
	}
	return ready, delayed, inFlight
}

// byHandle returns the message whose newest receive has the handle, or nil.
func (q *messages) byHandle(handle string) *message {
	for _, m := range q.list {
		if m.handle != "" && m.handle == handle {
			return m
		}
	}
	return nil
}

func (q *messages) remove(m *message) {
	if i := slices.Index(q.list, m); i >= 0 {
		q.list = slices.Delete(q.list, i, i+1)
	}
}

// take receives up to limit visible messages, and moves those away that were
// received too often. The caller holds the lock.
func (s *Server) take(q *messages, limit int, visibility time.Duration) (taken []*message) {
	now := s.now()
	for _, m := range slices.Clone(q.list) {
		if len(taken) == limit {
			break
		}
		if m.visibleAt.After(now) {
			continue
		}
		target, found := s.queues[q.redrive.target]
		if found && !s.options.WithoutRedrive && m.receives >= q.redrive.maxReceives {
			q.remove(m)
			target.list = append(target.list, m)
			continue
		}
		m.receives++
		m.handle = s.newID("handle")
		m.receivedAt, m.visibleAt = now, now.Add(visibility)
		taken = append(taken, m)
	}
	return taken
}

// nextVisible returns how long it takes until a message becomes visible, or
// most if that is sooner. The caller holds the lock.
func (s *Server) nextVisible(q *messages, most time.Duration) time.Duration {
	now := s.now()
	for _, m := range q.list {
		most = min(most, max(m.visibleAt.Sub(now), 0))
	}
	return most
}
