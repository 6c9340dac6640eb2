package copier_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
)

// A scriptedOrigin answers as the test says, and counts by host and URL.
type scriptedOrigin struct {
	mu      sync.Mutex
	answer  func(context.Context, cloudmirror.Object) (io.Reader, error)
	running map[string]int // answers and bodies that are not ended, by host
	most    map[string]int // at the same time
	calls   map[string]int // by URL
	total   int
	times   map[string][]time.Time // of requests, by origin

	redirect func(cloudmirror.Object) (to string) // "": it answers itself; nil: all do
	took     time.Duration                        // until a redirect is answered
}

// copiesIn answers with a small object, after a while.
func copiesIn(took time.Duration) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
		select {
		case <-time.After(took):
			return bytes.NewReader([]byte(o.URL())), nil
		case <-ctx.Done():
			return nil, &cloudmirror.Failure{Code: cloudmirror.CodeInternal, Err: ctx.Err()}
		}
	}
}

// fails answers every time with a failure: that of the host that is asked, unless
// it names another.
func fails(f cloudmirror.Failure) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(_ context.Context, o cloudmirror.Object) (io.Reader, error) {
		own := f
		own.Origin = cmp.Or(f.Origin, o.Origin())
		return nil, &own
	}
}

func (s *scriptedOrigin) script(answer func(context.Context, cloudmirror.Object) (io.Reader, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scriptedOrigin) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *scriptedOrigin) askedFor(url string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[url]
}

func (s *scriptedOrigin) mostOf(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most[host]
}

// timesOf returns when the origin, such as https://host.test, was asked.
func (s *scriptedOrigin) timesOf(server string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.times[server])
}

func (s *scriptedOrigin) Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	s.mu.Lock()
	s.total++
	s.mu.Unlock()
	for hop := o; ; {
		leave, err := rules.Enter(ctx, hop)
		if err != nil {
			return nil, err
		}
		answer, next, answered := s.request(hop)
		end := sync.OnceFunc(func() { answered(); leave() })
		if next == "" {
			body, err := answer(ctx, hop)
			if err != nil {
				end()
				return nil, err
			}
			return &origin.Response{SizeBytes: -1, FinalURL: hop.URL(), Body: endingBody{Reader: body, end: end}}, nil
		}
		time.Sleep(s.took)
		end()
		if hop, err = cloudmirror.ParseObject(next); err != nil {
			return nil, err
		}
	}
}

// request counts a request, and says how it is answered.
func (s *scriptedOrigin) request(hop cloudmirror.Object) (answer func(context.Context, cloudmirror.Object) (io.Reader, error), next string, answered func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := hop.Host()
	s.calls[hop.URL()]++
	s.times[hop.Origin()] = append(s.times[hop.Origin()], time.Now())
	s.running[host]++
	s.most[host] = max(s.most[host], s.running[host])
	if s.redirect != nil {
		next = s.redirect(hop)
	}
	return s.answer, next, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[host]--
	}
}

type endingBody struct {
	io.Reader
	end func()
}

func (b endingBody) Close() error { b.end(); return nil }
