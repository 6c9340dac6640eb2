package main

import (
	"github.com/spf13/cobra"

	"cloudmirror/config"
)

func (c *cli) serveCommand() *cobra.Command {
	var o config.Overrides
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run everything in one process",
		Long: `Run front end and copier in one process.

Without --config it needs nothing: entries and jobs are kept in memory, copies as
files under ./data, with service s3, region us-east-1 and every https origin, on
127.0.0.1:8080. A restart loses nothing but warmth.

Purge and warm need a bearer token. If none is configured, a random one is kept
in the data directory, in the file admin-token; the commands find it there.

--allow and --allow-address are for trying things: they replace what every service
allows. A pattern speaks of the origin's port as well, so that with --allow other
ports than 80 and 443 are let through, unless a pattern is a scheme alone.

SIGINT and SIGTERM stop it in order, a second one at once.`,
		Example: `  cloudmirror serve
  cloudmirror serve --listen 127.0.0.1:9000 --data-dir /var/lib/cloudmirror
  cloudmirror serve --allow '^http://127\.0\.0\.1:8000/' --allow-address 127.0.0.0/8
  cloudmirror serve --config cloudmirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.serve(command.Context(), config.RoleServe, o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Listen, "listen", "", "answer at `HOST:PORT`")
	flags.StringVar(&o.DataDir, "data-dir", "", "keep copies and the admin token in `DIR`")
	flags.StringArrayVar(&o.Allow, "allow", nil, "allow origin URLs that match `PATTERN` (repeatable)")
	flags.StringArrayVar(&o.AllowAddresses, "allow-address", nil, "let private addresses in `CIDR` through (repeatable)")
	return command
}
