package config

import (
	"fmt"
	"slices"
	"strings"

	"cloudmirror/config/schema"
)

// variablePrefix begins the name of every variable that sets a key.
const variablePrefix = "CLOUDMIRROR_"

// TokenVariable is the variable that holds the bearer token of the commands that
// talk to a server. It is no key of the configuration.
const TokenVariable = variablePrefix + "TOKEN"

// Variables returns the names of all variables that set a key, sorted.
func Variables() []string { return newConfig().keys().Variables(variablePrefix) }

// readEnvironment sets the keys that variables name. Unknown variables become
// warnings.
func (c *Config) readEnvironment(keys schema.Section, environ []string) []error {
	environ = slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return strings.HasPrefix(entry, TokenVariable+"=")
	})
	unknown, problems := keys.ReadEnvironment(variablePrefix, environ, c.sources)
	for _, name := range unknown {
		c.warnings = append(c.warnings, fmt.Sprintf("the environment variable %s sets no key", name))
	}
	return problems
}
