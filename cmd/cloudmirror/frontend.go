package main

import (
	"github.com/spf13/cobra"

	"cloudmirror/config"
)

func (c *cli) frontendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "frontend",
		Short: "Run a front end: answer HTTP, never copy",
		Long: `Run a front end. It redirects clients to copies and asks copiers to make those
that are missing. Any number of front ends can share a cache (Redis), queues (SQS)
and storage (S3), which the configuration names.

It answers at the configuration's listen address, and, if admin_listen is set,
serves /metrics, /healthz, /readyz and profiles there. Purge and warm are refused
unless admin_tokens or admin_tokens_file is set.

SIGINT and SIGTERM stop it in order, a second one at once.`,
		Example: `  cloudmirror frontend --config cloudmirror.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.serve(command.Context(), config.RoleFrontend, config.Overrides{})
		},
	}
}
