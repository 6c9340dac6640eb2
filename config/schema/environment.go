package schema

import (
	"maps"
	"slices"
	"strings"
)

// A setter is one value of any kind.
type setter interface {
	set(text string) error
}

// setters returns every key of one value outside of named sections, by its path.
func (s Section) setters() map[string]setter {
	found := make(map[string]setter)
	s.collect("", found)
	return found
}

func (s Section) collect(path string, found map[string]setter) {
	for _, k := range s {
		switch v := k.value.(type) {
		case Section:
			v.collect(Join(path, k.Name), found)
		case setter:
			found[Join(path, k.Name)] = v
		}
	}
}

// Variables returns the names of the variables that set a key, sorted. A key of one
// value outside of named sections has one: its path in capital letters, with _ for
// each dot, behind the prefix.
func (s Section) Variables(prefix string) []string {
	return slices.Sorted(maps.Keys(s.variables(prefix)))
}

// variables returns the path of the key that each variable sets.
func (s Section) variables(prefix string) map[string]string {
	paths := make(map[string]string)
	for path := range s.setters() {
		paths[prefix+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))] = path
	}
	return paths
}

// ReadEnvironment sets the keys that variables name, and remembers in sources where
// they were set. Each entry of environ has the form NAME=TEXT. Variables without
// the prefix, and empty ones, are left out. ReadEnvironment returns every problem,
// and those names with the prefix that set no key, sorted and as a message may show
// them.
func (s Section) ReadEnvironment(prefix string, environ []string, sources Sources) (unknown []string, problems []error) {
	setters, paths := s.setters(), s.variables(prefix)
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || text == "" {
			continue
		}
		path, known := paths[name]
		if !known {
			unknown = append(unknown, label(name))
			continue
		}
		where := "environment variable " + name
		sources[path] = where
		if err := setters[path].set(text); err != nil {
			problems = append(problems, Problem(where, path, err))
		}
	}
	return unknown, problems
}
