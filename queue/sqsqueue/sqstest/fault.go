package sqstest

import (
	"context"
	"strings"
)

// A Fault is what goes wrong with one request.
type Fault struct {
	// Before is called before the request is worked on: it may count, wait for
	// an event, or hang until ctx, the connection's, ends.
	Before func(ctx context.Context)
	// Code refuses the request, such as InternalFailure (500),
	// ServiceUnavailable (503), ThrottlingException or AccessDeniedException.
	Code string
	// Entry limits Code to the entries of a batch whose body or receipt handle
	// contains it; the others succeed.
	Entry string
	// LoseAnswer cuts the connection after the request was worked on.
	LoseAnswer bool
}

// Hang is a Fault.Before that never ends before the connection does.
func Hang(ctx context.Context) { <-ctx.Done() }

// Inject makes the next n requests for an action suffer f, after those that
// were injected before.
func (s *Server) Inject(action string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults[action] = append(s.faults[action], f)
	}
}

// entry returns the code that an entry of a batch has to fail with, or "".
func (f Fault) entry(content string) string {
	if f.Entry != "" && strings.Contains(content, f.Entry) {
		return f.Code
	}
	return ""
}
