package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

// maxIDs is how many letters one request handles.
const maxIDs = 1_000

// A handling is something that is done to letters.
type handling struct {
	name, done  string
	short, long string
}

// A refusedLetter is a letter with which it was not done.
type refusedLetter struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Message string `json:"message"`
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
			if err := t.completeForLetters(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			run := &handlingRun{cli: c, client: client, target: &t, handling: h, refused: make(map[string]refusedLetter)}
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

// A handlingRun is one run of a command that handles letters.
type handlingRun struct {
	*cli
	*client
	target   *target
	handling handling
	refused  map[string]refusedLetter
}

// all handles all letters, as many at a time as one request does. Those that come
// back meanwhile are not handled for ever: it ends when as many are done as there
// were.
func (r *handlingRun) all(ctx context.Context) error {
	for done, there := 0, -1; ; {
		answer, err := r.handle(ctx, letterChoice{All: true})
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
	for some := range slices.Chunk(ids, maxIDs) {
		if _, err := r.handle(ctx, letterChoice{IDs: some}); err != nil {
			return r.broken(err)
		}
	}
	return r.report()
}

// handle makes one request, and tells what was done.
func (r *handlingRun) handle(ctx context.Context, choice letterChoice) (*handledLetters, error) {
	answer, err := r.handleLetters(ctx, r.target.backend, r.handling.name, choice)
	if err != nil {
		return nil, err
	}
	for _, id := range answer.Done {
		delete(r.refused, id)
		if r.target.json {
			err = r.printJSON(map[string]any{"id": id, r.handling.done: true})
		} else {
			err = r.println(r.handling.done + " " + plain(id))
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
		fmt.Fprintf(r.stderr, "cloudmirror: letter %s: %s: %s\n", plain(id), plain(l.Code), plain(l.Message))
		if r.target.json {
			if err := r.printJSON(failedLetter{ID: id, Failed: map[string]string{"code": l.Code, "message": l.Message}}); err != nil {
				return err
			}
		}
	}
	if len(r.refused) > 0 {
		return errReported
	}
	return nil
}
