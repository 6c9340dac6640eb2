package frontend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/origin"
	"cloudmirror/queue"
)

// A Service is a group of backends with one set of rules.
type Service struct {
	Rules    origin.Rules         // which origin URLs are allowed
	Wait     time.Duration        // how long a client waits for a copy, at most; 0: it does not
	Fallback cloudmirror.Fallback // "": cloudmirror.FallbackOrigin
	Mode     cloudmirror.Mode     // "": cloudmirror.ModeWait
	CORS     []string             // origins of pages whose scripts may read redirects and copies; * is all
	Backends []Backend
}

// A Backend is one storage, and one queue, of a service.
type Backend struct {
	Region       string            // its name in the service
	StorageLabel string            // of its storage: text for people
	Queue        queue.Counter     // nil: it is not known how full it is
	DeadLetters  queue.DeadLetters // nil: they cannot be reached
	Reach        reach             // nil: clients can always fetch its copies
}

// A service is a Service in use.
type service struct {
	Service
	name     string
	cors     *cors
	backends map[string]*backend // by region
}

// A backend is a Backend in use.
type backend struct {
	id           cloudmirror.BackendID
	storageLabel string
	queue        queue.Counter
	deadLetters  queue.DeadLetters
	reach        reach
	requests     tally
}

// newServices checks the services and returns them with all backends, by name.
func newServices(given map[string]Service) (map[string]*service, []*backend, error) {
	services := make(map[string]*service, len(given))
	var all []*backend
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s := &service{Service: given[name], name: name, cors: newCORS(given[name].CORS), backends: make(map[string]*backend)}
		if err := s.complete(); err != nil {
			return nil, nil, fmt.Errorf("service %s: %w", name, err)
		}
		backends := slices.SortedFunc(slices.Values(s.Backends), func(a, b Backend) int { return strings.Compare(a.Region, b.Region) })
		for _, b := range backends {
			id := cloudmirror.BackendID{Service: name, Region: b.Region}
			if err := id.Check(); err != nil {
				return nil, nil, err
			}
			if s.backends[b.Region] != nil {
				return nil, nil, fmt.Errorf("service %s has region %s twice", name, b.Region)
			}
			s.backends[b.Region] = &backend{id: id, storageLabel: b.StorageLabel, queue: b.Queue, deadLetters: b.DeadLetters, reach: b.Reach}
			all = append(all, s.backends[b.Region])
		}
		services[name] = s
	}
	return services, all, nil
}

// complete checks the rules and puts defaults in.
func (s *service) complete() error {
	if s.Fallback == "" {
		s.Fallback = cloudmirror.FallbackOrigin
	}
	if s.Mode == "" {
		s.Mode = cloudmirror.ModeWait
	}
	switch {
	case s.Fallback != cloudmirror.FallbackOrigin && s.Fallback != cloudmirror.FallbackNone:
		return fmt.Errorf("fallback %q is neither %s nor %s", s.Fallback, cloudmirror.FallbackOrigin, cloudmirror.FallbackNone)
	case s.Mode != cloudmirror.ModeWait && s.Mode != cloudmirror.ModeRedirectNow:
		return fmt.Errorf("mode %q is neither %s nor %s", s.Mode, cloudmirror.ModeWait, cloudmirror.ModeRedirectNow)
	case s.Wait < 0:
		return fmt.Errorf("wait %v is negative", s.Wait)
	}
	return nil
}

// admits reports whether the rules allow an object, as far as its URL tells.
// Where its host leads to is the copier's to judge, on every hop.
func (s *service) admits(o cloudmirror.Object) bool {
	return origin.Check(s.Rules, o) == nil
}
