package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/api"
)

// maxNameColumns bounds the column of names in tables: with it, lines fit. A longer
// name gets a line of its own.
const maxNameColumns = 21

// The rows of tables, behind the name of the backend.
const (
	healthColumns = 18
	queueFormat   = "  %s %7s %6s %7s %9s %5s"
	hourFormat    = "%10s %8s %7s %7s %10s %7s"
)

// A report is an overview as people read it.
type report struct {
	*overview
	server   string // that was asked
	hasToken bool   // one was sent
	flags    string // of commands that ask the same server; "", or with a space behind them
	config   string // the file of the configuration; "": none
}

// String returns the report, without a line's end. Its lines fit outputColumns, but
// those that are one URL.
func (r *report) String() string {
	troubles := r.troubles()
	sections := []string{
		r.headline(troubles) + "\n" + r.about(),
		r.table("backend", fmt.Sprintf(queueFormat, padded("health", healthColumns), "copiers", "ready", "delayed", "in flight", "dead"), r.queueRow),
	}
	if !r.isOlder() {
		titles := fmt.Sprintf(hourFormat, "copying", "waiting", "hits", "misses", "to origin", "errors")
		sections = append(sections, r.table("copies, last hour", titles, r.hourRow))
	}
	if len(troubles) > 0 {
		sections = append(sections, wrongSection(troubles))
	}
	return strings.Join(append(sections, r.processes()), "\n\n")
}

// headline says the worst that is wrong.
func (r *report) headline(troubles []trouble) string {
	switch {
	case len(troubles) == 0 && r.isOlder():
		return "all is well, as far as this server tells: it is of an older release"
	case len(troubles) == 0:
		return "all is well"
	case len(troubles) == 1:
		return wrapped("", troubles[0].String(), 2)
	}
	return wrapped("", fmt.Sprintf("%s (of %d things that are wrong)", &troubles[0], len(troubles)), 2)
}

// about says which server was asked.
func (r *report) about() string {
	text := cloudmirror.Plain(r.server)
	if r.Version != "" {
		text += " version " + cloudmirror.Plain(r.Version)
	}
	switch {
	case r.notReady != nil: // a balancer may keep it to itself
		text += ", /readyz does not answer: " + cloudmirror.Plain(r.notReady.Error())
	case r.ready.State != "":
		text += ", " + cloudmirror.Plain(r.ready.State)
	}
	return wrapped("", text, 2)
}

// table returns a table with a row for each backend, below a line of titles.
func (r *report) table(name, titles string, row func(*api.Backend) string) string {
	names := columns(name)
	for i := range r.Backends {
		if n := columns(backendName(&r.Backends[i])); n <= maxNameColumns {
			names = max(names, n)
		}
	}
	lines := []string{padded(name, names) + titles}
	for i := range r.Backends {
		id := backendName(&r.Backends[i])
		if columns(id) > names {
			lines = append(lines, wrapped("", id, 2))
			id = ""
		}
		lines = append(lines, padded(id, names)+row(&r.Backends[i]))
	}
	if len(r.Backends) == 0 {
		lines = append(lines, "none")
	}
	return strings.Join(lines, "\n")
}

func (r *report) queueRow(b *api.Backend) string {
	health := cloudmirror.Plain(b.Health)
	if columns(health) > healthColumns {
		health = "unknown" // the word is below, among what is wrong
	}
	copiers, ready, delayed, inFlight, dead := "-", "-", "-", "-", "-"
	if b.Copiers != nil {
		copiers = count(*b.Copiers)
	}
	if q := b.Queue; q != nil {
		ready, delayed, inFlight, dead = count(q.Ready), count(q.Delayed), count(q.InFlight), count(q.DeadLetters)
	}
	return fmt.Sprintf(queueFormat, padded(health, healthColumns), copiers, ready, delayed, inFlight, dead)
}

func (r *report) hourRow(b *api.Backend) string {
	running, waiting := "-", "-"
	if b.Copies != nil {
		running, waiting = count(b.Copies.Running), count(b.Copies.Waiting)
	}
	hits, misses, origin, errors := "-", "-", "-", "-"
	if h := b.LastHour; h != nil {
		hits, misses = count(h[api.OutcomeHit]+h[api.OutcomeBackfill]), count(h[api.OutcomeMiss])
		origin, errors = count(h[api.OutcomeFallback]+h[api.OutcomeDirect]), count(h[api.OutcomeError])
	}
	return fmt.Sprintf(hourFormat, running, waiting, hits, misses, origin, errors)
}

// backendName returns the name of a backend for people.
func backendName(b *api.Backend) string { return cloudmirror.Plain(b.Service + "/" + b.Region) }

// count returns a number in at most 5 characters, if it is none below 0.
func count[N int | uint64](n N) string {
	const units = "kMGTPE"
	if n < 100_000 {
		return strconv.FormatInt(int64(n), 10)
	}
	unit := -1
	for n >= 10_000 {
		n /= 1_000
		unit++
	}
	return strconv.FormatInt(int64(n), 10) + units[unit:unit+1]
}

// wrongSection lists what is wrong, each with its cause and the command to run.
func wrongSection(troubles []trouble) string {
	lines := []string{"what is wrong"}
	for _, t := range troubles {
		text := t.String()
		if t.cause != "" {
			text += ": " + cloudmirror.Plain(t.cause)
		}
		lines = append(lines, wrapped("  ", text, 4))
		if t.next != "" {
			lines = append(lines, wrappedCommand("    next: ", t.next, outputColumns))
		}
	}
	return strings.Join(lines, "\n")
}

// processes lists the processes of the deployment.
func (r *report) processes() string {
	switch {
	case r.isOlder():
		return "processes: this server is of an older release, and does not tell of them"
	case r.Processes == nil && r.hasToken:
		return "processes: the server does not tell of them: is the token one of its own?"
	case r.Processes == nil:
		return "processes: shown to holders of a token (--token, or CLOUDMIRROR_TOKEN)"
	}
	lines := []string{"processes"}
	for _, p := range r.Processes {
		text := fmt.Sprintf("%s %s, version %s, since %s", cloudmirror.Plain(p.Role), cloudmirror.Plain(p.Name), cloudmirror.Plain(p.Version), p.Started.UTC().Format(time.RFC3339))
		if len(p.CopiesTo) > 0 {
			text += ", copies to " + cloudmirror.Plain(strings.Join(p.CopiesTo, ", "))
		}
		lines = append(lines, wrapped("  ", text, 4))
		for _, d := range p.Down {
			lines = append(lines, wrapped("    down: ", cloudmirror.Plain(d.Name)+": "+cloudmirror.Plain(d.Cause), 6))
		}
	}
	return strings.Join(lines, "\n")
}
