package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/api/client"
	"cloudmirror/config"
)

// A purging is a line of `purge --json`.
type purging struct {
	URL     string             `json:"url"`
	Service string             `json:"service"`
	Region  string             `json:"region"`
	Purged  bool               `json:"purged"`            // there was something, and all of it is gone
	Regions []api.RegionReport `json:"regions,omitempty"` // none: the server is of an older release
}

func (c *cli) purgeCommand() *cobra.Command {
	var t target
	command := &cobra.Command{
		Use:   "purge URL...",
		Short: "Remove copies, for good",
		Long: `Remove the copy of each URL and everything that is known of it. Nothing that is in
flight brings the old bytes back, and once the command is done no front end
redirects to the old copy.

A URL is that of the origin, one by which this mirror was asked (it names service
and region, where the flags do not), or the address of a copy, as logs show it.
With - the URLs are the lines of standard input. The region * is every region of
the service.

For each region it says what happened: "purged" (there was a copy, one under way, or
a failure that was remembered), "nothing there", or "failed", with the cause and the
command to run next. One region that fails does not keep the others from being
purged.

It needs a bearer token: that of --token, of the variable ` + config.TokenVariable + `, or
the one in the file admin-token in the data directory of the configuration, where
"cloudmirror serve" keeps its own.

Exit status: 0 everything was purged, 1 a region failed or a URL was refused,
2 the command line or the configuration is wrong, 3 nothing failed, and for at
least one URL nothing was there in any region.`,
		Example: `  cloudmirror purge https://example.com/file.tar.gz
  cloudmirror purge --server https://mirror.example.com --service s3 --region '*' https://example.com/file.tar.gz
  cloudmirror purge --region '*' https://bucket.s3.eu-west-1.amazonaws.com/9f86…0a08/0/file.tar.gz
  cloudmirror purge --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.completeFor(c, args); err != nil {
				return err
			}
			if err := t.requireToken(c); err != nil {
				return err
			}
			server := t.newClient()
			defer server.Close()
			return c.eachURL(command.Context(), args, t.json, func(raw string) error {
				return c.purge(command.Context(), server, &t, raw)
			})
		},
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	return command
}

func (c *cli) purge(ctx context.Context, server *client.Client, t *target, raw string) error {
	b, err := t.backendOf(raw)
	if err != nil {
		return err
	}
	object, err := t.read(raw)
	if err != nil {
		return err
	}
	report, err := server.Purge(ctx, b, object)
	if err != nil {
		return err
	}
	if _, _, mayBeCopy := cloudmirror.ParseCopyURL(object.URL()); mayBeCopy && len(report.Regions) == 0 {
		return errors.New("the server is of an older release, which reads the addresses of copies as URLs of origins: give the origin's URL")
	}
	if report.URL == "" {
		report.URL = shownURL(object)
	}
	outcome := purgeOutcome(&report)
	if t.json {
		line := purging{URL: report.URL, Service: b.Service, Region: b.Region, Purged: outcome == nil, Regions: report.Regions}
		return errors.Join(c.printJSON(line), told(outcome))
	}
	for _, line := range purgeLines(&report, c.sameServer(t), b) {
		if err := c.println(line); err != nil {
			return err
		}
	}
	return outcome
}

// errNothingThere says that there was nothing to purge.
var errNothingThere = errors.New("nothing was there")

// purgeOutcome returns errNothingThere, or an error that names the regions that failed.
func purgeOutcome(p *api.PurgeReport) error {
	var failed []string
	isAbsent := len(p.Regions) > 0
	for _, r := range p.Regions {
		if r.Result == api.PurgeFailed {
			failed = append(failed, cloudmirror.Plain(r.Region))
		}
		isAbsent = isAbsent && r.Result == api.PurgeAbsent
	}
	switch {
	case len(failed) > 0:
		return fmt.Errorf("not purged in %s", strings.Join(failed, ", "))
	case isAbsent:
		return errNothingThere
	}
	return nil
}

// purgeLines returns the report for people, a line for each region. Flags are those by which
// the next command asks the same server.
func purgeLines(p *api.PurgeReport, flags string, b cloudmirror.BackendID) []string {
	if len(p.Regions) == 0 {
		return []string{fmt.Sprintf("purged %s from %s; the server is of an older release and does not say whether anything was there", p.URL, b)}
	}
	var lines []string
	for _, r := range p.Regions {
		place := b.Service + "/" + cloudmirror.Plain(r.Region)
		switch r.Result {
		case api.PurgeDone:
			lines = append(lines, fmt.Sprintf("purged %s from %s", cloudmirror.Plain(p.URL), place))
		case api.PurgeAbsent:
			lines = append(lines, fmt.Sprintf("nothing there: %s in %s", cloudmirror.Plain(p.URL), place))
		default:
			next := strings.Replace(r.Next, "cloudmirror purge ", "cloudmirror purge "+flags, 1)
			lines = append(lines, fmt.Sprintf("failed: %s in %s: %s\n  next: %s", cloudmirror.Plain(p.URL), place, cloudmirror.Plain(r.Cause), cloudmirror.Plain(next)))
		}
	}
	return lines
}
