package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloudmirror/test/lab"
)

// A scenario is one fault under load.
type scenario struct {
	name  string // for -run: lower case, words joined by hyphens
	what  string // what is broken, for the table
	short bool   // CI runs it
	fault faultFunc
	// prepare runs before the load, cleanUp after it, verify when service is as
	// it was. Each may be nil.
	prepare, cleanUp, verify faultFunc
	// atOnce is how many copies of one object may run at a time; 0: 1. A crash or
	// a lost cache adds one.
	atOnce int
	// without names what the scenario needs and this machine lacks; such a
	// scenario is skipped, loudly.
	without func() string
	soak    bool // `make soak` plays it
	// quiet runs no load: the scenario brings its own.
	quiet bool
	// small leaves big objects out of the load.
	small bool
	// red says which records must be seen, of a scenario that checks the harness.
	red []outcome
}

// A faultFunc brings a fault and returns when it is over. What it finds wrong by
// itself is in findings; an error means that the scenario could not be played.
type faultFunc func(ctx context.Context, p *play) error

// A play is one run of a scenario.
type play struct {
	*deployment
	scenario scenario
	load     *load
	findings []string
	notes    []string
}

// found notes something that breaks a promise.
func (p *play) found(format string, args ...any) {
	p.findings = append(p.findings, fmt.Sprintf(format, args...))
}

// note adds a sentence to what the document says of the scenario.
func (p *play) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

const (
	before       = 2 * time.Second // of load, without a fault
	after        = 5 * time.Second // of load at least, once the fault is over
	recoverLimit = 75 * time.Second
	quietTime    = 3 * time.Second // hits as before for so long: recovered
)

// runScenario plays a scenario and judges it.
func runScenario(ctx context.Context, d *deployment, s scenario) (result, error) {
	if s.without != nil {
		if reason := s.without(); reason != "" {
			logf("!!! SKIPPED %s: %s", s.name, reason)
			return result{skipped: reason}, nil
		}
	}
	p := &play{deployment: d, scenario: s}
	d.forgive()
	counted := d.copyResults(ctx)
	p.load = newLoad(d, s)
	err := p.step(ctx, s.prepare)
	d.origin.TakeCounts()
	var r result
	if err == nil {
		p.load.start(ctx)
		r, err = p.run(ctx)
		r.records = p.load.end()
		r.copies = d.origin.TakeCounts()
	}
	if cleanUp := p.step(ctx, s.cleanUp); err == nil {
		err = cleanUp
	}
	if err != nil {
		return r, err
	}
	r.results = d.copyResults(ctx).minus(counted)
	r.findings, r.notes = p.findings, p.notes
	r.judge(s)
	return r, nil
}

// run is the load before, the fault, and the load until service is as before.
func (p *play) run(ctx context.Context) (result, error) {
	var r result
	if err := lab.Pause(ctx, before); err != nil {
		return r, err
	}
	r.faultBegun = time.Now()
	err := p.scenario.fault(ctx, p)
	r.faultEnded = time.Now()
	if err != nil || p.scenario.quiet || p.scenario.red != nil {
		return r, err
	}
	for time.Since(r.faultEnded) < recoverLimit {
		if err := lab.Pause(ctx, time.Second/2); err != nil {
			return r, err
		}
		if time.Since(r.faultEnded) < after {
			continue
		}
		records := p.load.snapshot()
		_, copied := copiesAgain(records, r.faultEnded)
		at, ok := hitsAgain(records, r.faultEnded)
		if copied && ok && time.Since(at) > quietTime {
			break
		}
	}
	return r, p.step(ctx, p.scenario.verify)
}

func (p *play) step(ctx context.Context, f faultFunc) error {
	if f == nil {
		return nil
	}
	return f(ctx, p)
}

// choose returns the scenarios to run.
func choose(s settings) []scenario {
	var chosen []scenario
	for _, c := range scenarios() {
		if s.run.MatchString(c.name) && (c.short || !s.short) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func join(words []string) string { return strings.Join(words, "; ") }
