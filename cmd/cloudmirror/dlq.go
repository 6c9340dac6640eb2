package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

func (c *cli) dlqCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, send them again, drop them",
		Long: `The dead letters of a backend are the jobs that were given up: the copy failed every
time, copiers died over it, or the message was no job. Their objects are not lost:
the next client's request starts over. So letters are there to be read, for the
reason; to be redriven once what was wrong is mended; and to be dropped.

The commands work through the front end, for memory queues and SQS alike. They
need a bearer token: that of --token, of the variable ` + config.TokenVariable + `, or the one
in the file admin-token in the data directory of the configuration, where
"cloudmirror serve" keeps its own.

Exit status: 0 every letter was there and was done, 1 one was not, or the server
did not answer, 2 the command line or the configuration is wrong.`,
		Example: `  cloudmirror dlq ls
  cloudmirror dlq redrive --all`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("dlq needs one of ls, show, redrive and drop") },
	}
	command.AddCommand(c.dlqListCommand(), c.dlqShowCommand(),
		c.dlqHandleCommand(handling{
			name: "redrive", done: "redriven", do: (*client.Client).Redrive,
			short: "Send the jobs of dead letters again",
			long: `Send the job of each letter again, over an error that stands and with none of its
tries counted, and then remove the letter. It gets one try, and as many more as
clients wait for; if it fails again it comes back as another letter. A letter that
is no job is refused.`,
		}),
		c.dlqHandleCommand(handling{
			name: "drop", done: "dropped", do: (*client.Client).Drop,
			short: "Remove dead letters for good",
			long:  `Remove each letter for good. Its object stays what it is.`,
		}))
	return command
}

// completeForDeadLetters fills in what talking about letters needs.
func (t *target) completeForDeadLetters(c *cli) error {
	if err := t.complete(c); err != nil {
		return err
	}
	if t.backend.Region == api.EveryRegion {
		return usagef("--region must name one region")
	}
	return t.requireToken(c)
}

func (c *cli) dlqListCommand() *cobra.Command {
	var t target
	limit := api.DefaultDeadLetters
	command := &cobra.Command{
		Use:   "ls",
		Short: "List dead letters",
		Long: `List the dead letters of a backend, the oldest first, each a block of lines: the id
alone; how long ago it was buried, and after how many tries; the origin URL without
its query, alone; and the code of what went wrong, with the reason.`,
		Example: `  cloudmirror dlq ls
  cloudmirror dlq ls --json --service s3 --region eu-west-1 --limit 1000`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := t.completeForDeadLetters(c); err != nil {
				return err
			}
			server := t.newClient()
			defer server.Close()
			list, err := server.DeadLetters(command.Context(), t.backend, limit)
			if err != nil {
				return err
			}
			return c.printDeadLetters(&t, list)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	command.Flags().IntVar(&limit, "limit", limit, "list `N` letters at most, up to 1000")
	return command
}

func (c *cli) printDeadLetters(t *target, list *client.DeadLetters) error {
	if len(list.Raw) == 0 && !t.json {
		return c.println("no dead letters in " + t.backend.String())
	}
	for i, raw := range list.Raw {
		if t.json {
			if err := c.printJSON(raw); err != nil {
				return err
			}
			continue
		}
		var l api.DeadLetter
		if err := json.Unmarshal(raw, &l); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		text := deadLetterText(&l, time.Now())
		if i > 0 {
			text = "\n" + text
		}
		if err := c.println(text); err != nil {
			return err
		}
	}
	if list.Count != nil && *list.Count > len(list.Raw) {
		fmt.Fprintf(c.stderr, "cloudmirror: there are about %d letters; %d are listed\n", *list.Count, len(list.Raw))
	}
	return nil
}

func (c *cli) dlqShowCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "show ID...",
		Short: "Show everything about dead letters",
		Long: `Show each letter in full: the message as it was received, and the origin URL with
its query, which may be a secret.`,
		Example: `  cloudmirror dlq show 17`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, ids []string) error {
			if err := t.completeForDeadLetters(c); err != nil {
				return err
			}
			server := t.newClient()
			defer server.Close()
			return c.eachDeadLetter(command.Context(), ids, t.json, func(id string) error {
				return c.showDeadLetter(command.Context(), server, &t, id)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) showDeadLetter(ctx context.Context, server *client.Client, t *target, id string) error {
	raw, err := server.DeadLetter(ctx, t.backend, id)
	if err != nil {
		return err
	}
	if raw == nil {
		return errNoDeadLetter
	}
	if t.json {
		return c.printJSON(raw)
	}
	fields := make(map[string]any)
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	delete(fields, "id")
	lines := []string{cloudmirror.Plain(id) + " in " + t.backend.String()}
	return c.println(strings.Join(append(lines, sortedFieldLines(fields)...), "\n"))
}

// A failedDeadLetter is the line of --json for a dead letter that something went wrong
// with.
type failedDeadLetter struct {
	ID     string `json:"id"`
	Failed any    `json:"failed"`
}

// errNoDeadLetter says that the server knows no dead letter of an id.
var errNoDeadLetter = errors.New("there is no such letter; perhaps somebody else handles it")

// deadLetterText returns the lines that list a dead letter, without the last one's end.
func deadLetterText(l *api.DeadLetter, now time.Time) string {
	facts, about := []string{"buried at a time that is not known"}, "(no job)"
	if l.BuriedAt != nil {
		facts[0] = fmt.Sprintf("%s ago, at %s", ago(now.Sub(*l.BuriedAt)), l.BuriedAt.UTC().Format(time.RFC3339))
	}
	if l.Job != nil && l.Malformed == "" {
		facts, about = append(facts, fmt.Sprintf("tries: %d", l.Job.Tries)), cloudmirror.Plain(l.Job.URL)
	}
	reason := l.Reason
	if reason == "" {
		reason = "(no reason: the queue moved it by itself)"
	}
	return strings.Join([]string{
		cloudmirror.Plain(l.ID), "    " + strings.Join(facts, ", "), "    " + about, wrapped("    ", cloudmirror.Plain(reason), 4),
	}, "\n")
}

// ago returns a time that has passed, in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", max(0, d/time.Second))
}

// eachDeadLetter calls do with every id. After a failure, which it tells,
// it goes on with the others, and returns errReported at the end.
func (c *cli) eachDeadLetter(ctx context.Context, ids []string, asJSON bool, do func(id string) error) error {
	failed := false
	for _, id := range ids {
		err := do(id)
		if err != nil {
			failed = true
			fmt.Fprintf(c.stderr, "cloudmirror: letter %s: %s\n", cloudmirror.Plain(id), errorText(err))
			if asJSON {
				if err := c.printJSON(failedDeadLetter{ID: id, Failed: jsonError(err)}); err != nil {
					return err
				}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if failed {
		return errReported
	}
	return nil
}
