package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func addJSONFlag(command *cobra.Command, asJSON *bool) {
	command.Flags().BoolVar(asJSON, "json", false, "print JSON, one object a line")
}

func (c *cli) println(line string) error {
	if _, err := fmt.Fprintln(c.stdout, line); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printJSON prints v as one line.
func (c *cli) printJSON(v any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false) // URLs stay readable
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
