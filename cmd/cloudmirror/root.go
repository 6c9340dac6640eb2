package main

import (
	"github.com/spf13/cobra"

	"cloudmirror/config"
)

// A cli is one run of the program.
type cli struct {
	*terminal
	configFile string
	started    bool // the command line was understood: what fails from now on is no usage error
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cloudmirror",
		Short: "A lazy mirror for immutable objects: the first request in a region copies, the others are redirected",
		Long: `cloudmirror copies an object into a cloud region the first time somebody there
asks for it; everyone after that is redirected to the copy next door.

To try it, run "cloudmirror serve" and ask it for an object:

  curl -fsSLO "$(cloudmirror rewrite https://example.com/file.tar.gz)"

Every command takes --config FILE; without it, "serve" and the commands agree on
a server on this machine. "cloudmirror config example" prints a commented file.

Exit status: 0 all went well, 1 something failed, 2 the command line or the
configuration is wrong, 3 there was nothing to purge.`,
		Version:       buildVersion().Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			c.started = true
		},
	}
	root.PersistentFlags().StringVar(&c.configFile, "config", "", "read the configuration from `FILE`")
	root.AddCommand(
		c.serveCommand(), c.frontendCommand(), c.copierCommand(),
		c.rewriteCommand(), c.warmCommand(), c.purgeCommand(), c.statusCommand(), c.explainCommand(), c.verifyCommand(), c.dlqCommand(),
		c.provisionCommand(), c.doctorCommand(),
		c.configCommand(), c.healthCommand(), c.versionCommand(),
	)
	fitHelp(root)
	root.SetUsageTemplate(usageTemplate(root))
	return root
}

// load reads the configuration that the command line and the environment ask
// for.
func (c *cli) load(o config.Overrides) (*config.Config, error) {
	loaded, err := config.Load(c.configFile, c.environ, o)
	if err != nil {
		return nil, configError{err}
	}
	return loaded, nil
}
