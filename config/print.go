package config

import (
	_ "embed"
	"fmt"
	"io"
)

//go:embed example.yaml
var example string

// Example returns a commented file with every key. But for the services, which
// have no defaults, all values in it are the defaults.
func Example() string { return example }

// Print writes the whole configuration as YAML, defaults included, with secrets
// as ***. Loaded again it is the same configuration, if it has no secrets; those
// must be put back first.
func (c *Config) Print(w io.Writer) error {
	if err := c.keys().Write(w); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}
