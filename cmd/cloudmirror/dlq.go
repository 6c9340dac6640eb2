package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror/config"
)

const defaultLetters = 100 // that are listed

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
			name: "redrive", done: "redriven",
			short: "Send the jobs of dead letters again",
			long: `Send the job of each letter again, over an error that stands and with none of its
tries counted, and then remove the letter. It gets one try, and as many more as
clients wait for; if it fails again it comes back as another letter. A letter that
is no job is refused.`,
		}),
		c.dlqHandleCommand(handling{
			name: "drop", done: "dropped",
			short: "Remove dead letters for good",
			long:  `Remove each letter for good. Its object stays what it is.`,
		}))
	return command
}

// completeForLetters fills in what talking about letters needs.
func (t *target) completeForLetters(c *cli) error {
	if err := t.complete(c); err != nil {
		return err
	}
	if t.backend.Region == everyRegion {
		return usagef("--region must name one region")
	}
	return t.requireToken(c)
}

func (c *cli) dlqListCommand() *cobra.Command {
	var t target
	limit := defaultLetters
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
			if err := t.completeForLetters(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			list, err := client.letters(command.Context(), t.backend, fmt.Sprintf("limit=%d", limit))
			if err != nil {
				return err
			}
			return c.printLetters(&t, list)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	command.Flags().IntVar(&limit, "limit", limit, "list `N` letters at most, up to 1000")
	return command
}

func (c *cli) printLetters(t *target, list *letterList) error {
	if len(list.Letters) == 0 && !t.json {
		return c.println("no dead letters in " + t.backend.String())
	}
	for i, raw := range list.Letters {
		if t.json {
			if err := c.printJSON(raw); err != nil {
				return err
			}
			continue
		}
		l, err := readLetter(raw)
		if err != nil {
			return err
		}
		text := l.text(time.Now())
		if i > 0 {
			text = "\n" + text
		}
		if err := c.println(text); err != nil {
			return err
		}
	}
	if list.Count != nil && *list.Count > len(list.Letters) {
		fmt.Fprintf(c.stderr, "cloudmirror: there are about %d letters; %d are listed\n", *list.Count, len(list.Letters))
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
			if err := t.completeForLetters(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			return c.eachLetter(command.Context(), ids, t.json, func(id string) error {
				return c.showLetter(command.Context(), client, &t, id)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) showLetter(ctx context.Context, client *client, t *target, id string) error {
	list, err := client.letters(ctx, t.backend, letterQuery(id))
	if err != nil {
		return err
	}
	if len(list.Letters) == 0 {
		return errNoLetter
	}
	raw := list.Letters[0]
	if t.json {
		return c.printJSON(raw)
	}
	fields := make(map[string]any)
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	delete(fields, "id")
	lines := []string{plain(id) + " in " + t.backend.String()}
	return c.println(strings.Join(append(lines, sortedFieldLines(fields)...), "\n"))
}
