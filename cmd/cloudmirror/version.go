package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A version says what the binary was built from.
type version struct {
	Version  string `json:"version"` // of the module; (devel) without one
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"` // of the repository
	Time     string `json:"time,omitempty"`     // of the revision
	Modified bool   `json:"modified,omitempty"` // there were changes beside the revision
}

func buildVersion() version {
	info, ok := debug.ReadBuildInfo()
	if !ok { // built without modules
		info = &debug.BuildInfo{}
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) version {
	v := version{Version: info.Main.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Revision = setting.Value
		case "vcs.time":
			v.Time = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v
}

func (v version) String() string {
	text := fmt.Sprintf("cloudmirror %s\n%s %s", v.Version, v.Go, v.Platform)
	if v.Revision == "" {
		return text
	}
	text += fmt.Sprintf("\nrevision %s of %s", v.Revision, v.Time)
	if v.Modified {
		text += ", modified"
	}
	return text
}

func (c *cli) versionCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Show what this binary was built from",
		Long:  `Show the version of the module, of Go, and the revision of the repository.`,
		Example: `  cloudmirror version
  cloudmirror version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return c.printJSON(buildVersion())
			}
			return c.println(buildVersion().String())
		},
	}
	addJSONFlag(command, &asJSON)
	return command
}
