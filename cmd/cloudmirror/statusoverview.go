package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
)

// overviewTimeout bounds the two requests for the state of a deployment. The server
// gives its queues 2 s.
const overviewTimeout = 10 * time.Second

// An overview is what a server says of its deployment.
type overview struct {
	*client.Overview
	ready    api.Readiness
	notReady error // why ready is not known
}

// isOlder reports whether the server's release does not tell of copiers, of the last
// hour and of processes.
func (o *overview) isOlder() bool { return o.Presence == "" }

// askOverview asks the server for the state of its deployment.
func askOverview(ctx context.Context, server *client.Client) (*overview, error) {
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	answer, err := server.Backends(ctx)
	if err != nil {
		return nil, err
	}
	o := &overview{Overview: answer}
	o.ready, o.notReady = server.Ready(ctx)
	return o, nil
}

// runOverview runs status without a URL.
func (c *cli) runOverview(command *cobra.Command, t *target, every time.Duration) error {
	isWatch := command.Flags().Changed("watch")
	if isWatch {
		if err := checkWatch(every); err != nil {
			return err
		}
	}
	if err := t.completeForOverview(c); err != nil {
		return err
	}
	server := t.newClient()
	defer server.Close()
	if isWatch {
		return c.watch(command.Context(), server, t, every)
	}
	return c.showOverview(command.Context(), server, t)
}

// showOverview prints the state of the deployment, once.
func (c *cli) showOverview(ctx context.Context, server *client.Client, t *target) error {
	o, err := askOverview(ctx, server)
	if err != nil {
		return err
	}
	if t.json {
		return c.printJSON(o.Raw)
	}
	return c.println(c.report(o, t).String())
}

// report returns what is printed of an overview.
func (c *cli) report(o *overview, t *target) *report {
	return &report{overview: o, server: t.server, hasToken: t.token != "", flags: c.sameServer(t), config: c.configFile}
}

// sameServer returns the flags of a command that asks the same server, with a space
// behind them, or "".
func (c *cli) sameServer(t *target) string {
	var flags string
	if t.givenServer != "" {
		flags = "--server " + quoted(t.givenServer) + " "
	}
	if c.configFile != "" {
		flags += "--config " + quoted(c.configFile) + " "
	}
	return flags
}

// completeForOverview fills in what asking for the state of a deployment needs.
func (t *target) completeForOverview(c *cli) error {
	if t.backend != (cloudmirror.BackendID{}) {
		return usagef("--service and --region need a URL: without one, status shows all backends")
	}
	if err := t.completeServer(c); err != nil {
		return err
	}
	return t.completeToken(c)
}
