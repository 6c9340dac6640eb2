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
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

func (c *cli) statusCommand() *cobra.Command {
	var t target
	var watch time.Duration
	command := &cobra.Command{
		Use:   "status [URL...]",
		Short: "Show the state of the deployment, or what is known of copies",
		Long: `Without a URL, show the state of the deployment: first the worst that is wrong, then
the backends, what is wrong with its cause and the command to run next, and, with a
token, the processes. "hits" are redirects to copies that were there, "misses" those
to copies that were made meanwhile, "to origin" those to the origin, all of the last
hour. Copies that wait wait for others from the same host. "-" is not known. --watch
shows it again and again, on a terminal in place, and goes on while the server does
not answer.

Show, for each URL, the state of its copy: absent, present, waiting, copying, failed
(the next client has it tried again) or given up until a time, and what belongs to it,
such as what it waits for. --json has the words of the server. No copy is caused.
"cloudmirror explain" says it in sentences, and what a client gets.

A URL is that of the origin, one by which this mirror was asked (it names service
and region, where the flags do not), or, with a token, the address of a copy.
With - the URLs are the lines of standard input.

With a bearer token the private cause of errors and the process that has the
job are shown, too: that of --token, of the variable ` + config.TokenVariable + `, or
the one in the file admin-token in the data directory of the configuration,
where "cloudmirror serve" keeps its own.

The exit status says whether the server answered, not what the state is: 0 it did, 1
it did not, 2 the command line or the configuration is wrong. After ^C --watch ends
with 0.`,
		Example: `  cloudmirror status
  cloudmirror status --watch=10s --server https://mirror.example.com
  cloudmirror status https://example.com/file.tar.gz
  cloudmirror status --server https://mirror.example.com --service s3 --region eu-west-1 https://example.com/file.tar.gz
  cloudmirror status --json - < urls.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.runOverview(command, &t, watch)
			}
			if command.Flags().Changed("watch") {
				return usagef("--watch shows the deployment and takes no URL; the time is given as --watch=5s")
			}
			return c.askEach(command.Context(), &t, args, c.status)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	command.Flags().DurationVar(&watch, "watch", 0, "show the deployment every `TIME`")
	command.Flags().Lookup("watch").NoOptDefVal = defaultWatch
	return command
}

// askEach calls ask with each URL and a client of the server, for one region.
func (c *cli) askEach(ctx context.Context, t *target, urls []string, ask func(context.Context, *client.Client, *target, string) error) error {
	if err := t.completeFor(c, urls); err != nil {
		return err
	}
	if t.backend.Region == api.EveryRegion {
		return usagef("--region must name one region")
	}
	if err := t.completeToken(c); err != nil {
		return err
	}
	server := t.newClient()
	defer server.Close()
	return c.eachURL(ctx, urls, t.json, func(raw string) error { return ask(ctx, server, t, raw) })
}

func (c *cli) status(ctx context.Context, server *client.Client, t *target, raw string) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	if err != nil {
		return err
	}
	answer, err := server.Status(ctx, b, object)
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
	if state := stateWords(fields); state != "" {
		fields["state"] = state
	}
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

// stateWords returns the state of an answer in words, or "" if it has no better ones than
// the member.
func stateWords(fields map[string]any) string {
	switch fields["state"] {
	case api.StatePending:
		if fields["waits_for"] == api.WaitsForCopy {
			return "copying"
		}
		return "waiting"
	case api.StateError:
		failure, _ := fields["error"].(map[string]any)
		text, _ := fields["expires_at"].(string)
		until, err := time.Parse(time.RFC3339, text)
		if isPermanent, _ := failure["permanent"].(bool); isPermanent && err == nil {
			return "given up until " + until.UTC().Format(time.DateTime) + " UTC"
		}
		return "failed"
	}
	return ""
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
		return []string{fieldLine(cloudmirror.Plain(name), cloudmirror.Plain(fmt.Sprint(value))+relative(value))}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(inner)) {
		lines = append(lines, fieldLines(name+"."+key, inner[key])...)
	}
	return lines
}

// fieldLine returns a field as a line, or, if that is too long, the value below the
// name. The body of a message stays as it is.
func fieldLine(name, value string) string {
	line := fmt.Sprintf("  %-14s %s", name, value)
	switch {
	case columns(line) <= outputColumns:
		return line
	case name == "body":
		return "  " + name + "\n    " + value
	}
	return "  " + name + "\n" + wrapped("    ", value, 4)
}
