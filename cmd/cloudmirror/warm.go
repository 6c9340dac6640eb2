package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudmirror"
	"cloudmirror/config"
)

// warmOptions are the flags of `warm` beside the target.
type warmOptions struct {
	rate       float64 // URLs a second; 0: no limit
	wait       bool
	failedFile string // "": none is written
}

func (c *cli) warmCommand() *cobra.Command {
	var t target
	var o warmOptions
	command := &cobra.Command{
		Use:   "warm FILE...|-",
		Short: "Copy the objects of a list ahead of demand",
		Long: `Have the server copy each URL of a list, and wait until all copies are there.

A list has one URL a line: that of the origin, or one by which this mirror
was asked. Blank lines and those that begin with # are skipped, and a URL
counts once. With - the list is standard input. A line that is no URL is
named with its number, and nothing is sent. The region * is every region of
the service.

While it waits it says how far it is on standard error: in one line that
changes on a terminal, else in a line every 10 s. It goes on when a front end
restarts or dies, when a balancer answers 503, and when the server runs too
many jobs; it gives up when nothing has answered for 2 minutes, or for 5 s if
the server never did. What is asked for again is not copied again.

--rate bounds how many URLs of the list it hands to the server in a second.
It does not bound bytes: bandwidth of the service does.

--failed writes the URLs that are not present in the end, one a line, also
when it is interrupted; a second ^C ends it at once, without that. The file
is a list for the next run, and empty if all went well. It has whole URLs,
with any secrets in their queries.

With --wait=false it prints the ids of its jobs as soon as they are begun,
and ends: GET /v1/jobs/ID tells how far they are.

It needs a bearer token: that of --token, of the variable
` + config.TokenVariable + `, or the one in the file admin-token in the data
directory of the configuration, where "cloudmirror serve" keeps its own.

Exit status: 0 all copies are present (with --wait=false: all were asked
for), 1 some failed or are not done, 2 the command line, the configuration or
a list is wrong.`,
		Example: `  cloudmirror warm --service s3 --region '*' urls.txt
  cloudmirror warm --server https://mirror.example.com --region eu-west-1 urls.txt
  cloudmirror warm --rate 50 --failed rest.txt urls.txt
  cloudmirror warm --failed rest.txt rest.txt
  cloudmirror warm --json - < urls.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error { return c.warm(command.Context(), &t, o, args) },
	}
	t.addFlags(command)
	t.addTokenFlag(command)
	flags := command.Flags()
	flags.Float64Var(&o.rate, "rate", 0, "hand at most `N` URLs a second to the server (default: no limit)")
	flags.BoolVar(&o.wait, "wait", true, "wait until every copy is present or has failed")
	flags.StringVar(&o.failedFile, "failed", "", "write the URLs that are not present in the end to `FILE`")
	return command
}

func (o *warmOptions) check() error {
	switch {
	case o.rate < 0 || math.IsNaN(o.rate) || math.IsInf(o.rate, 0):
		return usagef("--rate: %v must be a number of URLs a second above 0, or 0 for no limit", o.rate)
	case o.failedFile != "" && !o.wait:
		return usagef("--failed needs --wait: without waiting it is not known what failed")
	}
	return nil
}

// warm has the URLs of lists copied, and tells how that ended.
func (c *cli) warm(ctx context.Context, t *target, o warmOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := t.complete(c); err != nil {
		return err
	}
	if err := t.requireToken(c); err != nil {
		return err
	}
	urls, err := c.readLists(t, args)
	if err != nil {
		return err
	}
	if o.failedFile != "" { // before hours of copying, not after
		if err := checkWritable(o.failedFile); err != nil {
			return usagef("--failed: %w", err)
		}
	}
	ctx, stop := untilSignal(ctx, hangUp()...)
	defer stop()
	server := t.newClient()
	defer server.Close()
	w := newWarmer(server, t.backend, urls, &progress{out: c.stderr, isLive: c.canRedraw(), urls: len(urls), began: time.Now()})
	w.wait, w.rate = o.wait, o.rate
	err = w.run(ctx)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what the server was asked for is copied all the same")
	}
	reported := c.reportWarming(w, t.json, o)
	if err == nil || reported != nil && !errors.Is(reported, errReported) {
		return reported
	}
	return err
}

// A warmResult is the last line of `warm --json`. Its numbers are of URLs but for the
// bytes, which are of copies that were made while their jobs waited for them.
type warmResult struct {
	URLs    int      `json:"urls"`
	Present int      `json:"present"` // in every region that was asked for
	Failed  int      `json:"failed"`
	NotDone int      `json:"not_done"`
	Bytes   int64    `json:"bytes"`
	Seconds float64  `json:"seconds"`
	Jobs    []string `json:"jobs"`
}

// A warmFailure is a line of `warm --json`, for a copy that failed.
type warmFailure struct {
	URL    string      `json:"url"`
	Region string      `json:"region"`
	Failed warmProblem `json:"failed"`
}

type warmProblem struct {
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
}

// Bounds of the failures that are named on standard error.
const (
	maxShownFailures = 20
	maxShownURLBytes = 240
)

// reportWarming prints how the warming ended, and writes the file of what is not
// present. The error says that something is not.
func (c *cli) reportWarming(w *warmer, asJSON bool, o warmOptions) error {
	var notWritten error
	if o.failedFile != "" { // before anything is printed: the output may be gone
		notWritten = writeList(o.failedFile, w.missing())
	}
	r, failures := w.result(), w.failures()
	for i, f := range failures {
		if asJSON {
			if err := c.printJSON(f); err != nil {
				return err
			}
		}
		switch {
		case i < maxShownFailures:
			fmt.Fprintf(c.stderr, "cloudmirror: %s in %s: %s: %s\n", cloudmirror.Line(withoutSecrets(f.URL), maxShownURLBytes), cloudmirror.Plain(f.Region), cloudmirror.Plain(string(f.Failed.Code)), cloudmirror.Plain(f.Failed.Message))
		case i == maxShownFailures:
			fmt.Fprintf(c.stderr, "cloudmirror: and more failures than these %d\n", maxShownFailures)
		}
	}
	if notWritten != nil {
		o.failedFile = ""
	}
	if err := cmp.Or(c.printWarming(r, asJSON, o), notWritten); err != nil {
		return err
	}
	if r.Failed > 0 || o.wait && r.NotDone > 0 {
		return errReported
	}
	return nil
}

func (c *cli) printWarming(r warmResult, asJSON bool, o warmOptions) error {
	if asJSON {
		return c.printJSON(r)
	}
	if !o.wait {
		if len(r.Jobs) == 0 {
			return nil
		}
		return c.println(strings.Join(r.Jobs, "\n"))
	}
	line := fmt.Sprintf("%s URLs: %s present, %s failed, %s not done; %s copied in %s", grouped(r.URLs), grouped(r.Present), grouped(r.Failed),
		grouped(r.NotDone), byteCount(r.Bytes), shortDuration(time.Duration(r.Seconds*float64(time.Second))))
	if n := r.URLs - r.Present; n > 0 && o.failedFile != "" {
		line += "; " + cloudmirror.Plain(o.failedFile) + " has the URLs that are not present"
	}
	return c.println(line)
}
