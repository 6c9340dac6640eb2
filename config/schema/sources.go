package schema

import (
	"fmt"
	"strings"
)

// Sources says where each key was set, by the key's path: "services.s3.wait" was
// set at "cloudmirror.yaml:12". Keys that have their defaults are not in it. The
// path "" is that of the whole configuration.
type Sources map[string]string

// IsSet reports whether a key was set.
func (s Sources) IsSet(path string) bool {
	_, ok := s[path]
	return ok
}

// Problem returns an error about a key, at the place where the key was set. Where
// it was not, the place is that of the nearest section around it. The path may
// name an item of a list, as in "ports[0]".
func (s Sources) Problem(path, format string, args ...any) error {
	return Problem(s.where(path), path, fmt.Errorf(format, args...))
}

func (s Sources) where(path string) string {
	for at := path; at != ""; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if where, ok := s[at]; ok {
			return where
		}
	}
	return s[""]
}

// Problem returns an error in the form that all errors about keys have: where,
// which key, what is wrong. Without a key it is about the place.
func Problem(where, key string, err error) error {
	if key == "" {
		return fmt.Errorf("%s: %w", where, err)
	}
	return fmt.Errorf("%s: %s: %w", where, key, err)
}

// Join appends a key to the path of its section.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
