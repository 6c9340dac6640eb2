package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
)

// A handling is something that is done to dead letters.
type handling struct {
	name, done  string
	short, long string
	do          func(*client.Client, context.Context, cloudmirror.BackendID, api.DeadLetterChoice) (*api.HandledDeadLetters, error)
}

func (c *cli) dlqHandleCommand(h handling) *cobra.Command {
	var t target
	all := false
	command := &cobra.Command{
		Use:   h.name + " ID...",
		Short: h.short,
		Long:  h.long + "\n\nWith - the ids are the lines of standard input; with --all it is every letter that\nis there when the command begins.",
		Example: fmt.Sprintf(`  cloudmirror dlq %[1]s 17 18
  cloudmirror dlq %[1]s --service s3 --region eu-west-1 --all`, h.name),
		Args: func(_ *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usagef("either ids or --all must say which letters")
			}
			return nil
		},
		RunE: func(command *cobra.Command, ids []string) error {
			if err := t.completeForDeadLetters(c); err != nil {
				return err
			}
			server := t.newClient()
			defer server.Close()
			run := &handlingRun{cli: c, server: server, target: &t, handling: h, refused: make(map[string]api.RefusedDeadLetter)}
			if all {
				return run.all(command.Context())
			}
			return run.some(command.Context(), ids)
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	command.Flags().BoolVar(&all, "all", false, h.name+" every letter")
	return command
}

// A handlingRun is one run of a command that handles dead letters.
type handlingRun struct {
	*cli
	server   *client.Client
	target   *target
	handling handling
	refused  map[string]api.RefusedDeadLetter // by id
}

// all handles all letters, as many at a time as one request does. Those that come
// back meanwhile are not handled for ever: it ends when as many are done as there
// were.
func (r *handlingRun) all(ctx context.Context) error {
	for done, there := 0, -1; ; {
		answer, err := r.handle(ctx, api.DeadLetterChoice{All: true})
		if err != nil {
			return r.broken(err)
		}
		done += len(answer.Done)
		if there < 0 && answer.Count != nil {
			there = done + *answer.Count
		}
		if len(answer.Done) == 0 || done >= there || answer.Count != nil && *answer.Count == 0 {
			return r.report()
		}
	}
}

// some handles the letters of ids, where - stands for standard input.
func (r *handlingRun) some(ctx context.Context, args []string) error {
	var ids []string
	for _, arg := range args {
		if arg != "-" {
			ids = append(ids, arg)
			continue
		}
		if err := r.eachLine(func(id string) error { ids = append(ids, id); return nil }); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(ids, api.MaxDeadLetters) {
		if _, err := r.handle(ctx, api.DeadLetterChoice{IDs: some}); err != nil {
			return r.broken(err)
		}
	}
	return r.report()
}

// handle makes one request, and tells what was done.
func (r *handlingRun) handle(ctx context.Context, choice api.DeadLetterChoice) (*api.HandledDeadLetters, error) {
	answer, err := r.handling.do(r.server, ctx, r.target.backend, choice)
	if err != nil {
		return nil, err
	}
	for _, id := range answer.Done {
		delete(r.refused, id)
		if r.target.json {
			err = r.printJSON(map[string]any{"id": id, r.handling.done: true})
		} else {
			err = r.println(r.handling.done + " " + cloudmirror.Plain(id))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, l := range answer.Refused {
		r.refused[l.ID] = l
	}
	if !answer.Complete {
		return nil, errors.New("the queue failed before all was done; look again with \"cloudmirror dlq ls\"")
	}
	return answer, nil
}

// broken tells which letters were refused before err.
func (r *handlingRun) broken(err error) error {
	if reported := r.report(); reported != nil && !errors.Is(reported, errReported) {
		return errors.Join(err, reported)
	}
	return err
}

// report tells which letters were refused; there being some is an error.
func (r *handlingRun) report() error {
	for _, id := range slices.Sorted(maps.Keys(r.refused)) {
		l := r.refused[id]
		fmt.Fprintf(r.stderr, "cloudmirror: letter %s: %s: %s\n", cloudmirror.Plain(id), cloudmirror.Plain(string(l.Code)), cloudmirror.Plain(l.Message))
		if r.target.json {
			if err := r.printJSON(failedDeadLetter{ID: id, Failed: map[string]string{"code": string(l.Code), "message": l.Message}}); err != nil {
				return err
			}
		}
	}
	if len(r.refused) > 0 {
		return errReported
	}
	return nil
}
