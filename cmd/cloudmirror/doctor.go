package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/doctor"
)

func (c *cli) doctorCommand() *cobra.Command {
	var strict, asJSON bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check a configuration against the world",
		Long: `Check a configuration against the Redis, the queues and the buckets that it names:
clocks, Redis' version, role and eviction, what "provision" would do, and whether
copies work: one is written as a copier does, read as a client does from this
machine, and removed; in Redis a key is written and removed. Everything is left as it
was, also after an interrupt.

Each line is one subject: ok, or what is wrong, and below it what to do. The name in
brackets is explained in docs/provisioning.md. Run it where servers run and, for what
they may do, with their credentials; where clients are, for what those can reach.

Exit status: 0 no errors, 1 an error was found, or with --strict a warning, 2 the
command line or the configuration is wrong.`,
		Example: `  cloudmirror doctor --config cloudmirror.yaml
  cloudmirror doctor --config cloudmirror.yaml --strict --json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			loaded, err := c.load(config.Overrides{})
			if err != nil {
				return err
			}
			rediscache.LogTo(zap.NewNop()) // what fails is told
			ctx, stop := untilSignal(command.Context())
			defer stop()
			return c.diagnose(ctx, loaded, strict, asJSON)
		},
	}
	command.Flags().BoolVar(&strict, "strict", false, "fail for warnings as well")
	addJSONFlag(command, &asJSON)
	return command
}

func (c *cli) diagnose(ctx context.Context, loaded *config.Config, strict, asJSON bool) error {
	counts := make(map[doctor.Severity]int)
	var printErr error
	err := app.Diagnose(ctx, loaded, time.Now, func(f doctor.Finding) {
		counts[f.Severity]++
		if printErr == nil {
			printErr = c.printFinding(f, asJSON)
		}
	})
	if err != nil {
		return err
	}
	if printErr == nil && !asJSON {
		printErr = c.println(fmt.Sprintf("%d errors, %d warnings, %d ok", counts[doctor.Error], counts[doctor.Warning], counts[doctor.OK]))
	}
	switch {
	case printErr != nil:
		return printErr
	case counts[doctor.Error] > 0, strict && counts[doctor.Warning] > 0:
		return errReported
	}
	return nil
}

func (c *cli) printFinding(f doctor.Finding, asJSON bool) error {
	if asJSON {
		return c.printJSON(f)
	}
	severity, text := fmt.Sprintf("%-8s", f.Severity), cloudmirror.Plain(f.Subject)
	if f.Problem == "" {
		return c.println(wrapped(severity, text, 8))
	}
	text += fmt.Sprintf(": %s [%s]", cloudmirror.Plain(f.Problem), f.ID)
	return c.println(wrapped(severity, text, 8) + "\n" + wrapped("        to do: ", cloudmirror.Plain(f.Remedy), 15))
}
