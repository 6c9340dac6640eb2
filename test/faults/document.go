package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// A document is put together from the results.
type document struct {
	deployment *deployment
	machine    string
	note       string
	checks     [][]string
	rows       [][]string
	details    strings.Builder
	red        int
}

func newDocument(ctx context.Context, d *deployment, s settings) *document {
	return &document{deployment: d, machine: describeMachine(ctx), note: s.note}
}

// addSelfCheck reports whether what was wrong on purpose was seen.
func (d *document) addSelfCheck(s scenario, r result) bool {
	seen := r.count(s.red...)
	d.checks = append(d.checks, []string{s.what, fmt.Sprint(s.red[0]), fmt.Sprint(len(r.records)), fmt.Sprint(seen)})
	logf("self-check %-22s %d of %d requests: %s, such as %s", s.name, seen, len(r.records), s.red[0], r.example(s.red...))
	return seen > 0 && len(r.broken) > 0 && slices.ContainsFunc(r.broken, func(b string) bool { return b != "" })
}

func (d *document) add(s scenario, r result) {
	if r.skipped != "" {
		d.rows = append(d.rows, []string{s.what, "", "", "", "", "", "", "", "", "**skipped**: " + r.skipped})
		return
	}
	verdict := "ok"
	if len(r.broken) > 0 {
		verdict = "**red**"
		d.red++
	}
	hits, copying := seconds(r.hits), seconds(r.copying)
	if s.quiet {
		hits, copying = "–", "–"
	}
	d.rows = append(d.rows, []string{
		s.what, fmt.Sprint(len(r.records)), fmt.Sprint(r.count(wrong, hang)), fmt.Sprint(r.count(serverErr)),
		fmt.Sprintf("%d / %.2f", r.copies.Most, r.copies.Mean()),
		fmt.Sprintf("%d %%", r.fromOrigin()),
		fmt.Sprintf("%s / %s", milliseconds(r.asked(0.5, hot)), milliseconds(r.asked(0.99, hot))),
		hits, copying, verdict,
	})
	fmt.Fprintf(&d.details, "- **%s** (`%s`): %s.\n", s.what, s.name, join(d.remarks(r)))
}

// remarks are what the table has no room for.
func (d *document) remarks(r result) []string {
	var all []string
	for _, o := range []outcome{deadCopy, noOrigin} {
		if n := r.count(o); n > 0 {
			all = append(all, fmt.Sprintf("%d × %s", n, o))
		}
	}
	if n := r.retried(); n > 0 {
		all = append(all, fmt.Sprintf("%d requests lost their connection and were sent again", n))
	}
	if most := r.asked(1, fresh); most > 0 {
		all = append(all, fmt.Sprintf("answers for new objects took %s (median), %s (99 %%), %s at most", milliseconds(r.asked(0.5, fresh)), milliseconds(r.asked(0.99, fresh)), milliseconds(most)))
	}
	if r.copies.Most > 1 {
		all = append(all, "copied most often: "+r.copies.Worst)
	}
	all = append(all, fmt.Sprintf("copies of one object at once: at most %d", r.copies.AtOnce))
	if len(r.results) > 0 {
		all = append(all, "jobs: "+r.results.String())
	}
	for _, b := range r.broken {
		all = append(all, "**"+b+"**")
	}
	return append(all, r.notes...)
}

func milliseconds(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
}

// write writes the document to a file, if there is to be one.
func (d *document) write(file string) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, []byte(d.String()), 0o644)
}

// String returns the document as Markdown.
func (d *document) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Faults\n\nWritten by `make faults`, not by hand. What users see of each fault and what an operator does is in [operations.md](operations.md#faults).\n\n")
	b.WriteString(lab.Table([]string{
		"fault", "requests", "wrong answers", "5xx while the origin was up", "copies started per object, most / mean",
		"sent to the origin", "time to the redirect of a known object, median / 99 %", "hits as before after", "new objects copied after", "",
	}, d.rows))
	b.WriteString(explanation)
	fmt.Fprintf(&b, "\n## Details\n\n%s", d.details.String())
	fmt.Fprintf(&b, "\n## The harness checks itself\n\nBefore the faults, answers were made wrong in front of the product. The run would have ended if clients had not seen it.\n\n%s",
		lab.Table([]string{"what was done", "must be seen as", "requests", "seen"}, d.checks))
	fmt.Fprintf(&b, "\n## Where and how\n\n%s", d.machine)
	if d.note != "" {
		fmt.Fprintf(&b, "\n%s\n", d.note)
	}
	fmt.Fprintf(&b, "\nStarted (`DIR` is the run's directory):\n\n```\n%s\n```\n", strings.Join(d.deployment.commands, "\n"))
	return b.String()
}

const explanation = `
Two front ends behind nginx, two copiers for both regions, Redis, SQS and an S3 server for each region; a toxiproxy on every link. 32 clients ask for known objects (64 KB, 20 MiB), for new ones (two a second in each region) and new big ones, follow the redirect and compare the SHA-256.

- **Wrong answers**: other bytes, a status that is not 302, a redirect to what cannot be fetched, or no answer within the service's wait and 8 s. **5xx** counts broken connections too, if the client's second try fails as well.
- **Copies started**: requests for a whole object that the origin got from copiers, in the whole scenario, tries that a fault ended included.
- **Sent to the origin**: of the right answers during the fault. Times are of requests during the fault.
- **Hits as before after**: from the end of the fault until the last request for a known object that was not a hit from the cache, in under a second; seconds in which nine of ten were do not count. **New objects copied after**: until each region had copied an object that nobody had asked for before.
`

// describeMachine returns what the numbers depend on, as a table.
func describeMachine(ctx context.Context) string {
	return lab.Table([]string{"", ""}, lab.DescribeMachine(ctx, "go run ./test/faults "+strings.Join(os.Args[1:], " ")))
}
