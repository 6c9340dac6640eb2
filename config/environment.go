package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// variablePrefix begins the name of every variable that is ours.
const variablePrefix = "CLOUDMIRROR_"

// TokenVariable is the variable that holds the bearer token of the commands that
// talk to a server. It is no key of the configuration.
const TokenVariable = variablePrefix + "TOKEN"

// A setter is a scalar of any kind.
type setter interface {
	set(text string) error
}

// scalars returns every scalar key outside of named sections and lists by its
// path.
func (s section) scalars() map[string]setter {
	found := make(map[string]setter)
	s.collect("", found)
	return found
}

func (s section) collect(path string, found map[string]setter) {
	for _, k := range s {
		switch v := k.value.(type) {
		case section:
			v.collect(join(path, k.name), found)
		case setter:
			found[join(path, k.name)] = v
		}
	}
}

// variable returns the name of the variable that sets a key.
func variable(path string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Variables returns the names of all variables that set a key, sorted.
func Variables() []string {
	var names []string
	for path := range newConfig().keys().scalars() {
		names = append(names, variable(path))
	}
	sort.Strings(names)
	return names
}

// readEnvironment sets the keys that variables name. Unknown variables become
// warnings.
func (c *Config) readEnvironment(keys section, environ []string) []error {
	scalars := keys.scalars()
	paths := make(map[string]string, len(scalars))
	for path := range scalars {
		paths[variable(path)] = path
	}
	var problems []error
	for _, entry := range sorted(environ) {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || name == TokenVariable || text == "" {
			continue
		}
		path, known := paths[name]
		if !known {
			c.warnings = append(c.warnings, fmt.Sprintf("the environment variable %s sets no key", label(name)))
			continue
		}
		where := "environment variable " + name
		c.sources[path] = where
		if err := scalars[path].set(text); err != nil {
			problems = append(problems, problem(where, path, err))
		}
	}
	return problems
}

func sorted(texts []string) []string {
	texts = slices.Clone(texts)
	sort.Strings(texts)
	return texts
}
