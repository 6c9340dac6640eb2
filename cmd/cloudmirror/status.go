package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/config"
)

func (c *cli) statusCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "status URL...",
		Short: "Show what is known of copies, without causing any",
		Long: `Show, for each URL, the state of its copy: absent, present, pending or error,
and what belongs to it, such as what a pending one waits for. No copy is caused.
"cloudmirror explain" says it in sentences, and what a client gets.

A URL is that of the origin, one by which this mirror was asked (it names service
and region, where the flags do not), or, with a token, the address of a copy.
With - the URLs are the lines of standard input.

With a bearer token the private cause of errors and the process that has the
job are shown, too: that of --token, of the variable ` + config.TokenVariable + `, or
the one in the file admin-token in the data directory of the configuration,
where "cloudmirror serve" keeps its own.

The exit status says whether the server answered, not what the state is.`,
		Example: `  cloudmirror status https://example.com/file.tar.gz
  cloudmirror status --server https://mirror.example.com --service s3 --region eu-west-1 https://example.com/file.tar.gz
  cloudmirror status --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.completeFor(c, args); err != nil {
				return err
			}
			if t.backend.Region == everyRegion {
				return usagef("--region must name one region")
			}
			if err := t.completeToken(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			return c.eachURL(command.Context(), args, t.json, func(raw string) error {
				return c.status(command.Context(), client, &t, raw)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) status(ctx context.Context, client *client, t *target, raw string) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	if err != nil {
		return err
	}
	answer, err := client.status(ctx, b, object)
	if err != nil {
		return err
	}
	if t.json {
		return c.printJSON(answer)
	}
	return c.printStatus(object, b, answer)
}

// printStatus prints every field of an answer, those that people look for first.
func (c *cli) printStatus(o cloudmirror.Object, b cloudmirror.BackendID, answer json.RawMessage) error {
	fields := make(map[string]any)
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	lines := []string{o.URL() + " in " + b.String()}
	for _, name := range []string{"url", "service", "region"} { // they are in the first line
		delete(fields, name)
	}
	for _, name := range []string{"state", "size", "sha256", "stored_at", "expires_at", "location"} {
		if value, ok := fields[name]; ok {
			lines = append(lines, fieldLines(name, value)...)
			delete(fields, name)
		}
	}
	return c.println(strings.Join(append(lines, sortedFieldLines(fields)...), "\n"))
}

// sortedFieldLines returns the lines of all fields, by name.
func sortedFieldLines(fields map[string]any) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		lines = append(lines, fieldLines(name, fields[name])...)
	}
	return lines
}

// relative returns how far off a time is, with a space before it; "" if the value is
// no time.
func relative(value any) string {
	text, _ := value.(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	if d := time.Until(t).Round(time.Second); d > 0 {
		return fmt.Sprintf(" (in %v)", d)
	}
	return fmt.Sprintf(" (%v ago)", time.Since(t).Round(time.Second))
}

// fieldLines returns a line for a field, or one for each field within it.
func fieldLines(name string, value any) []string {
	inner, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("  %-14s %s", plain(name), plain(fmt.Sprint(value))+relative(value))}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(inner)) {
		lines = append(lines, fieldLines(name+"."+key, inner[key])...)
	}
	return lines
}
