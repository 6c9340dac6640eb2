package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/provision"
)

func (c *cli) provisionCommand() *cobra.Command {
	var dryRun, adopt, asJSON bool
	command := &cobra.Command{
		Use:   "provision",
		Short: "Create the queues and buckets that a configuration needs",
		Long: `Create what a configuration needs, set what differs, and leave everything else as it
is: queues with their dead letters; buckets, who may read them, and after how many
days what is removed. A second run changes nothing. Memory and files need nothing.

Each line is one resource, with what is different below it:

  = ok      + create      ~ change      ! manual: the server cannot be told

Rules and statements of others in a bucket stay. What another deployment marked as
its own is an error, unless --adopt takes it over, as after a change of the Redis
URL or a prefix. Run it with credentials that may do this; servers need fewer, which
"provision policy" prints. docs/provisioning.md has the details.

Exit status: 0 all is done that the servers can do, 1 something failed, 2 the
command line or the configuration is wrong.`,
		Example: `  cloudmirror provision --config cloudmirror.yaml --dry-run
  cloudmirror provision --config cloudmirror.yaml
  cloudmirror provision policy copier --config cloudmirror.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			loaded, err := c.load(config.Overrides{})
			if err != nil {
				return err
			}
			rediscache.LogTo(zap.NewNop()) // what fails is told
			ctx, stop := untilSignal(command.Context())
			defer stop()
			return c.provision(ctx, loaded, provisioning{dryRun: dryRun, adopt: adopt, json: asJSON})
		},
	}
	command.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be done, and change nothing")
	command.Flags().BoolVar(&adopt, "adopt", false, "take over what another deployment marked as its own")
	addJSONFlag(command, &asJSON)
	command.AddCommand(c.policyCommand())
	return command
}

// provisioning says how to run provision.
type provisioning struct{ dryRun, adopt, json bool }

func (c *cli) provision(ctx context.Context, loaded *config.Config, p provisioning) error {
	resources, err := app.Provision(ctx, loaded, p.adopt)
	if err != nil {
		return err
	}
	if len(resources) == 0 && !p.json {
		return c.println("memory and files need nothing")
	}
	counts := make(map[provision.Action]int)
	err = provision.Run(ctx, resources, p.dryRun, func(o provision.Outcome) error {
		if o.Err == nil {
			counts[o.Action]++
		}
		if p.json {
			return c.printJSON(outcomeLine{Outcome: o, DryRun: p.dryRun, Error: textOf(o.Err)})
		}
		return c.printOutcome(o)
	})
	if err != nil && !errors.Is(err, provision.ErrFailed) {
		return err
	}
	if !p.json {
		summary := fmt.Sprintf("created %d, changed %d, ok %d", counts[provision.Create], counts[provision.Change], counts[provision.OK])
		if p.dryRun {
			summary = fmt.Sprintf("%d to create, %d to change, %d ok; nothing was changed", counts[provision.Create], counts[provision.Change], counts[provision.OK])
		}
		if printErr := c.println(summary); printErr != nil {
			return printErr
		}
	}
	if n := counts[provision.Manual]; n > 0 {
		fmt.Fprintf(c.stderr, "warning: %d to do by hand, see the lines with !\n", n)
	}
	if err != nil {
		return errReported
	}
	return nil
}

// An outcomeLine is a line of `provision --json`.
type outcomeLine struct {
	provision.Outcome
	DryRun bool   `json:"dry_run"`
	Error  string `json:"error,omitempty"`
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return errorText(err)
}

func (c *cli) printOutcome(o provision.Outcome) error {
	sign := map[provision.Action]string{
		provision.OK: "=", provision.Create: "+", provision.Change: "~", provision.Manual: "!", "": "?",
	}[o.Action]
	if err := c.println(fmt.Sprintf("%s %-13s %s", sign, o.Kind, o.Name)); err != nil {
		return err
	}
	for _, detail := range o.Details {
		if err := c.println(wrapped("    ", cloudmirror.Plain(detail), 6)); err != nil {
			return err
		}
	}
	if o.Err != nil {
		fmt.Fprintf(c.stderr, "cloudmirror: %s %s: %s\n", o.Kind, o.Name, errorText(o.Err))
	}
	return nil
}

func (c *cli) policyCommand() *cobra.Command {
	account, asJSON := "*", false
	command := &cobra.Command{
		Use:   "policy frontend|copier",
		Short: "Print the least-privilege IAM policy of a role",
		Long: `Print a policy document that allows a role what it does with the queues and buckets
of the configuration, once they are provisioned, and nothing else. It is JSON, also
without --json. Nothing is connected to. A copier gets the backends of copier.backends.

"serve" needs the policies of both roles. Servers that are to make missing queues
themselves (queue.sqs.create) need sqs:CreateQueue as well: provision them instead.`,
		Example: `  cloudmirror provision policy frontend --config cloudmirror.yaml
  cloudmirror provision policy copier --config cloudmirror.yaml --account 123456789012`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{string(provision.Frontend), string(provision.Copier)},
		RunE: func(_ *cobra.Command, args []string) error {
			if !regexp.MustCompile(`^([0-9]{12}|\*)$`).MatchString(account) {
				return usagef("--account %q is neither twelve digits nor *", account)
			}
			loaded, err := c.load(config.Overrides{})
			if err != nil {
				return err
			}
			policy := app.Policy(loaded, provision.Role(args[0]), account)
			if len(policy.Statement) == 0 {
				return usagef("the configuration has neither queues in SQS nor buckets, so that there is nothing to allow")
			}
			if asJSON {
				return c.printJSON(policy)
			}
			text, err := json.MarshalIndent(policy, "", "  ")
			if err != nil {
				return fmt.Errorf("print the policy: %w", err)
			}
			return c.println(string(text))
		},
	}
	command.Flags().StringVar(&account, "account", account, "the queues' AWS account, twelve digits")
	command.Flags().BoolVar(&asJSON, "json", false, "print the policy on one line")
	return command
}
