package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// A result is what came of a scenario.
type result struct {
	skipped                string // why
	records                []record
	faultBegun, faultEnded time.Time
	copies                 lab.CopyCount
	results                counters // of jobs, by cloudmirror_copies_total
	findings, notes        []string
	broken                 []string // promises; empty: green

	hits, copying time.Duration // until service was as before; -1: it never was
}

// judge decides which promises were broken.
func (r *result) judge(s scenario) {
	r.broken = append(r.broken, r.findings...)
	if n := r.count(wrong, hang); n > 0 {
		r.broken = append(r.broken, fmt.Sprintf("%d wrong answers, such as %s", n, r.example(wrong, hang)))
	}
	if n := r.count(serverErr); n > 0 {
		r.broken = append(r.broken, fmt.Sprintf("%d times 5xx, such as %s", n, r.example(serverErr)))
	}
	if limit := max(1, s.atOnce); r.copies.AtOnce > limit {
		r.broken = append(r.broken, fmt.Sprintf("%d copies of one object at once", r.copies.AtOnce))
	}
	if s.quiet || s.red != nil {
		return
	}
	r.hits, r.copying = -1, -1
	at, ok := hitsAgain(r.records, r.faultEnded)
	if at.After(r.faultEnded) {
		r.notes = append(r.notes, "the last known object that was not served as before: "+r.lastMiss(at))
	}
	if ok {
		r.hits = at.Sub(r.faultEnded)
	} else {
		r.broken = append(r.broken, "hits are not served as before")
	}
	if at, ok := copiesAgain(r.records, r.faultEnded); ok {
		r.copying = at.Sub(r.faultEnded)
	} else {
		r.broken = append(r.broken, "new objects are not copied again")
	}
}

func (r *result) count(outcomes ...outcome) (n int) {
	for _, record := range r.records {
		if slices.Contains(outcomes, record.outcome) {
			n++
		}
	}
	return n
}

// example describes the first record of the given outcomes.
func (r *result) example(outcomes ...outcome) string {
	for _, x := range r.records {
		if slices.Contains(outcomes, x.outcome) {
			return fmt.Sprintf("%s %s, asked %.1f s after the fault began, answered after %.1f s (%s): %s",
				x.item.kind, x.item.path, x.begun.Sub(r.faultBegun).Seconds(), x.asked.Seconds(), x.cache, brief(x.detail))
		}
	}
	return ""
}

// lastMiss describes the request that ended at the time of recovery.
func (r *result) lastMiss(at time.Time) string {
	for _, x := range r.records {
		if x.ended.Equal(at) {
			return fmt.Sprintf("%s to %s, redirected after %s (%s)", x.outcome, x.where, milliseconds(x.asked), x.cache)
		}
	}
	return "none"
}

// retried counts requests whose connection to us broke and that were sent again.
func (r *result) retried() (n int) {
	for _, record := range r.records {
		if record.retried {
			n++
		}
	}
	return n
}

// fromOrigin is the share of right answers in percent, of requests during the
// fault, that sent the client to the origin.
func (r *result) fromOrigin() int {
	var all, origin int
	for _, x := range r.during() {
		if x.outcome == right {
			all++
			if x.where == "origin" {
				origin++
			}
		}
	}
	return 100 * origin / max(all, 1)
}

// during returns the records of requests that were sent during the fault.
func (r *result) during() []record {
	var records []record
	for _, x := range r.records {
		if x.begun.After(r.faultBegun) && x.begun.Before(r.faultEnded) {
			records = append(records, x)
		}
	}
	return records
}

// asked returns a quantile of the time to the redirect, during the fault.
func (r *result) asked(quantile float64, kinds ...kind) time.Duration {
	var times []time.Duration
	for _, x := range r.during() {
		if slices.Contains(kinds, x.item.kind) {
			times = append(times, x.asked)
		}
	}
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(quantile*float64(len(times)-1))]
}

// summary is the result on one line.
func (r *result) summary() string {
	if r.skipped != "" {
		return "SKIPPED: " + r.skipped
	}
	verdict := "ok"
	if len(r.broken) > 0 {
		verdict = "RED: " + join(r.broken)
	}
	return fmt.Sprintf("%5d requests, %d wrong, %d 5xx, %d dead copies, copies %d/%.2f, hits after %s, copies after %s: %s",
		len(r.records), r.count(wrong, hang), r.count(serverErr), r.count(deadCopy),
		r.copies.Most, r.copies.Mean(), seconds(r.hits), seconds(r.copying), verdict)
}

func seconds(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// brief shortens a detail to one line.
func brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 240 {
		return s[:240] + "…"
	}
	return s
}
