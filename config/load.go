package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cloudmirror/config/schema"
)

// Overrides are the values of flags. Empty ones change nothing.
type Overrides struct {
	Listen  string // --listen
	DataDir string // --data-dir
	// Allow (--allow) replaces the allow patterns of every service. Each pattern
	// says which ports it allows, so that ports are not checked beside it, unless
	// one of the patterns is a scheme alone.
	Allow []string
	// AllowAddresses (--allow-address) replaces the private addresses that every
	// service allows.
	AllowAddresses []string
	// CopierBackends (--backend) replaces copier.backends.
	CopierBackends []string
}

// Load reads the configuration from the file at path, the variables of the
// environment (as [os.Environ] returns them) and the overrides. Without a path
// it begins with [Default] in place of a file. The error has one line for each
// thing that is wrong.
func Load(path string, environ []string, o Overrides) (*Config, error) {
	if path == "" {
		return load(Default(), "", nil, environ, o)
	}
	data, _, err := schema.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return load(newConfig(), path, data, environ, o)
}

// load changes c by the file's content, the environment and the overrides, and
// checks the result.
func load(c *Config, file string, data []byte, environ []string, o Overrides) (*Config, error) {
	keys := c.keys()
	c.sources[""] = "the defaults"
	var problems []error
	if file != "" {
		problems = keys.Read(file, data, c.sources)
	}
	problems = slices.Concat(problems, c.readEnvironment(keys, environ), c.override(keys, o))
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.completeOrigin()
	for i := range c.Services {
		for j := range c.Services[i].Backends {
			c.Services[i].Backends[j].complete()
		}
	}
	problems = slices.Concat(c.relations(), c.readTokensFile())
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.warn()
	return c, nil
}

// override applies the flags.
func (c *Config) override(keys schema.Section, o Overrides) []error {
	var problems []error
	for _, flag := range []struct{ name, key, text string }{
		{"--listen", "listen", o.Listen},
		{"--data-dir", "data_dir", o.DataDir},
	} {
		if flag.text == "" {
			continue
		}
		if err := keys.Set(flag.key, flag.text); err != nil {
			problems = append(problems, schema.Problem(flag.name, "", err))
		}
		c.sources[flag.key] = flag.name
	}
	patterns, err := parseAll(o.Allow, allowPattern())
	if err != nil {
		problems = append(problems, schema.Problem("--allow", "", err))
	}
	addresses, err := parseAll(o.AllowAddresses, schema.CIDR())
	if err != nil {
		problems = append(problems, schema.Problem("--allow-address", "", err))
	}
	backends, err := parseAll(o.CopierBackends, backendID())
	if err != nil {
		problems = append(problems, schema.Problem("--backend", "", err))
	}
	if len(backends) > 0 {
		c.Copier.Backends = backends
		c.sources["copier.backends"] = "--backend"
	}
	for i := range c.Services {
		s := &c.Services[i]
		if len(patterns) > 0 {
			s.Allow = patterns
			if !slices.ContainsFunc(o.Allow, isSchemeAlone) {
				s.Ports = nil
			}
		}
		if len(addresses) > 0 {
			s.AllowAddresses = addresses
		}
	}
	return problems
}

func isSchemeAlone(pattern string) bool { return strings.HasSuffix(pattern, "://") }

func parseAll[T any](texts []string, k schema.Kind[T]) ([]T, error) {
	values := make([]T, 0, len(texts))
	for _, text := range texts {
		v, err := k.Parse(text)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}
