package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"cloudmirror/config"
)

func (c *cli) configCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Check, print or begin a configuration",
		Long: `Check a configuration file, print what it comes to, or print a commented example.
The variables CLOUDMIRROR_... of the environment count in check and print as they do
when a server starts.`,
		Example: `  cloudmirror config example > cloudmirror.yaml
  cloudmirror config check --config cloudmirror.yaml
  cloudmirror config print --config cloudmirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("config needs one of check, print and example")
		},
	}
	command.AddCommand(c.configCheckCommand(), c.configPrintCommand(), c.configExampleCommand())
	return command
}

func (c *cli) configCheckCommand() *cobra.Command {
	var role string
	var asJSON bool
	command := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with a configuration",
		Long: `Say what is wrong with a configuration, a line for each mistake with place, key, value
and what is allowed. If nothing is, say which commands it suits: memory and files are
for "serve" alone. With --role it must suit that one.

Nothing is connected to.`,
		Example: `  cloudmirror config check --config cloudmirror.yaml
  cloudmirror config check --config cloudmirror.yaml --role frontend
  cloudmirror config check --config cloudmirror.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			checked, err := c.check(config.Role(role))
			if asJSON {
				if printErr := c.printJSON(checked); printErr != nil {
					return printErr
				}
				return err
			}
			for _, warning := range checked.Warnings {
				fmt.Fprintf(c.stderr, "warning: %s\n", warning)
			}
			if err != nil {
				return err
			}
			return c.println(checked.String())
		},
	}
	command.Flags().StringVar(&role, "role", "", "check for `ROLE`: serve, frontend or copier")
	addJSONFlag(command, &asJSON)
	return command
}

// A checked configuration is what `config check` prints.
type checked struct {
	File     string        `json:"file,omitempty"`
	OK       bool          `json:"ok"`
	Suits    []config.Role `json:"suits"`
	Errors   []string      `json:"errors"`
	Warnings []string      `json:"warnings"`
}

// String says which commands the configuration suits.
func (c checked) String() string {
	names := make([]string, len(c.Suits))
	for i, role := range c.Suits {
		names[i] = string(role)
	}
	name := c.File
	if name == "" {
		name = "the defaults"
	}
	return name + ": fine for " + strings.Join(names, ", ")
}

// check loads the configuration and tries it for the wanted role, or, without
// one, for all.
func (c *cli) check(wanted config.Role) (checked, error) {
	result := checked{File: c.configFile, Suits: []config.Role{}, Errors: []string{}, Warnings: []string{}}
	loaded, err := c.load(config.Overrides{})
	if err == nil {
		result.Warnings = append(result.Warnings, loaded.Warnings()...)
		for _, role := range []config.Role{config.RoleServe, config.RoleFrontend, config.RoleCopier} {
			if loaded.Check(role) == nil {
				result.Suits = append(result.Suits, role)
			}
		}
		if wanted != "" {
			err = loaded.Check(wanted)
		}
	}
	result.OK = err == nil
	if err != nil {
		result.Errors = strings.Split(err.Error(), "\n")
		return result, configError{err}
	}
	return result, nil
}

func (c *cli) configPrintCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "print",
		Short: "Print what a configuration comes to, with all defaults",
		Long: `Print the whole configuration as a server would see it: defaults, file and
environment together. Secrets are printed as ***.`,
		Example: `  cloudmirror config print
  cloudmirror config print --config cloudmirror.yaml
  CLOUDMIRROR_LISTEN=:80 cloudmirror config print --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			loaded, err := c.load(config.Overrides{})
			if err != nil {
				return err
			}
			if !asJSON {
				return loaded.Print(c.stdout)
			}
			return c.printConfigJSON(loaded)
		},
	}
	addJSONFlag(command, &asJSON)
	return command
}

func (c *cli) printConfigJSON(loaded *config.Config) error {
	var text bytes.Buffer
	if err := loaded.Print(&text); err != nil {
		return err
	}
	var tree any
	if err := yaml.Unmarshal(text.Bytes(), &tree); err != nil {
		return fmt.Errorf("read what was printed: %w", err)
	}
	return c.printJSON(tree)
}

func (c *cli) configExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a commented configuration file",
		Long: `Print a configuration file with every key, its default and what it means. It is a
good beginning for a file of your own.`,
		Example: `  cloudmirror config example > cloudmirror.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return c.println(strings.TrimSuffix(config.Example(), "\n"))
		},
	}
}
