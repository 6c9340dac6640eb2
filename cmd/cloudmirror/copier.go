package main

import (
	"github.com/spf13/cobra"

	"cloudmirror/config"
)

func (c *cli) copierCommand() *cobra.Command {
	var o config.Overrides
	command := &cobra.Command{
		Use:   "copier",
		Short: "Run a copier: copy objects from origins to storage",
		Long: `Run a copier. It takes jobs from the queues, copies objects from their origins
into storage, and never answers clients. Any number of copiers can work side by
side, all for all backends, or, with --backend or copier.backends in the
configuration, each for those that are near.

It serves /metrics, /healthz, /readyz and profiles at admin_listen, if that is set.

SIGINT and SIGTERM stop it in order: running copies are given the time copier.grace,
then their jobs are handed back. A second signal ends it at once; the jobs are
then received again when their visibility time is over.`,
		Example: `  cloudmirror copier --config cloudmirror.yaml
  cloudmirror copier --config cloudmirror.yaml --backend s3/eu-west-1
  CLOUDMIRROR_ADMIN_LISTEN=:9100 cloudmirror copier --config cloudmirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.serve(command.Context(), config.RoleCopier, o)
		},
	}
	command.Flags().StringArrayVar(&o.CopierBackends, "backend", nil, "work for the backend `SERVICE/REGION` (repeatable)")
	return command
}
