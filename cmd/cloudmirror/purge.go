package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/config"
)

// A purging is a line of `purge --json`.
type purging struct {
	URL     string `json:"url"`
	Service string `json:"service"`
	Region  string `json:"region"`
	Purged  bool   `json:"purged"`
}

func (c *cli) purgeCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "purge URL...",
		Short: "Remove copies, for good",
		Long: `Remove the copy of each origin URL and everything that is known of it. Nothing that
is in flight brings the old bytes back, and once the command is done no front end
redirects to the old copy. What has no copy is purged as well: it is no error.

The region * is every region of the service. With - the URLs are the lines of
standard input.

It needs a bearer token: that of --token, of the variable ` + config.TokenVariable + `, or
the one in the file admin-token in the data directory of the configuration, where
"cloudmirror serve" keeps its own.`,
		Example: `  cloudmirror purge https://example.com/file.tar.gz
  cloudmirror purge --server https://mirror.example.com --service s3 --region '*' https://example.com/file.tar.gz
  cloudmirror purge --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.complete(c); err != nil {
				return err
			}
			if err := t.requireToken(c); err != nil {
				return err
			}
			client := newClient(&t)
			defer client.close()
			return c.eachURL(command.Context(), args, t.json, func(raw string) error {
				return c.purge(command.Context(), client, &t, raw)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) purge(ctx context.Context, client *client, t *target, raw string) error {
	object, err := cloudmirror.ParseLegacyObject(raw)
	if err != nil {
		return err
	}
	if err := client.purge(ctx, t.backend, object); err != nil {
		return err
	}
	if t.json {
		return c.printJSON(purging{URL: object.URL(), Service: t.backend.Service, Region: t.backend.Region, Purged: true})
	}
	return c.println(fmt.Sprintf("purged %s from %s", object.URL(), t.backend))
}
