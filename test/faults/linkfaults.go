package main

import (
	"context"
	"fmt"
	"time"

	"cloudmirror/test/lab"
)

// A linkFault is what can be done to a link.
type linkFault struct {
	name, what string
	lasts      time.Duration
	play       linkPlay
	soak       bool
}

// A linkPlay does something to links for a while.
type linkPlay func(ctx context.Context, p *play, lasts time.Duration, links []string) error

func linkFaults() []linkFault {
	return []linkFault{
		{"refused", "down: connections refused", 10 * time.Second, refuse, false},
		{"blackhole", "down: nothing comes back", 10 * time.Second, toxics(toxic{Type: "timeout", Stream: "downstream", Attributes: attributes("timeout", 0)}), true},
		{"slow", "slow: answers 5 s late", 8 * time.Second, toxics(toxic{Type: "latency", Stream: "downstream", Attributes: attributes("latency", 5000)}), false},
		{"flapping", "flapping: 1 s down, 1 s up", 8 * time.Second, flap, true},
		{"narrow", "bandwidth limited to 64 KB/s each way", 7 * time.Second, toxics(
			toxic{Type: "bandwidth", Stream: "downstream", Attributes: attributes("rate", 64)},
			toxic{Type: "bandwidth", Stream: "upstream", Attributes: attributes("rate", 64)}), false},
		{"reset", "connections reset by the peer", 6 * time.Second, toxics(toxic{Type: "reset_peer", Stream: "downstream", Attributes: attributes("timeout", 0)}), true},
		{"cut", "connections cut after 20 KB, mid-stream", 6 * time.Second, toxics(
			toxic{Type: "limit_data", Stream: "downstream", Attributes: attributes("bytes", 20_000)},
			toxic{Type: "limit_data", Stream: "upstream", Attributes: attributes("bytes", 20_000)}), false},
	}
}

func attributes(name string, value int) map[string]int { return map[string]int{name: value} }

// linkScenarios are all faults of each dependency.
func linkScenarios() []scenario {
	inShort := map[string]bool{"redis-refused": true, "s3-blackhole": true, "origin-cut": true}
	var all []scenario
	for _, dependency := range []struct {
		name, what string
		links      []string
	}{
		{"redis", "Redis", []string{redisFrontends, redisCopiers}},
		{"sqs", "SQS", []string{sqsFrontends, sqsCopiers}},
		{"s3", "S3 of one region, for us", []string{s3Prefix + regions[0]}},
		{"origin", "the origin, for copiers", []string{originCopiers}},
	} {
		for _, f := range linkFaults() {
			name := dependency.name + "-" + f.name
			all = append(all, scenario{
				name: name, what: dependency.what + ": " + f.what, short: inShort[name], soak: f.soak, atOnce: 2,
				fault: func(ctx context.Context, p *play) error { return f.play(ctx, p, f.lasts, dependency.links) },
			})
		}
	}
	return all
}

// refuse closes the links for a while.
func refuse(ctx context.Context, p *play, lasts time.Duration, links []string) error {
	if err := p.enable(ctx, links, false); err != nil {
		return err
	}
	if err := lab.Pause(ctx, lasts); err != nil {
		return err
	}
	return p.enable(ctx, links, true)
}

// flap closes and opens the links in turns.
func flap(ctx context.Context, p *play, lasts time.Duration, links []string) error {
	for begun := time.Now(); time.Since(begun) < lasts; {
		if err := refuse(ctx, p, time.Second, links); err != nil {
			return err
		}
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// toxics puts toxics on the links for a while.
func toxics(all ...toxic) linkPlay {
	return func(ctx context.Context, p *play, lasts time.Duration, links []string) error {
		for _, link := range links {
			for _, x := range all {
				if err := p.toxi.add(ctx, link, x); err != nil {
					return err
				}
			}
		}
		if err := lab.Pause(ctx, lasts); err != nil {
			return err
		}
		for _, link := range links {
			for _, x := range all {
				if err := p.toxi.remove(ctx, link, x); err != nil {
					return fmt.Errorf("%s: %w", link, err)
				}
			}
		}
		return nil
	}
}

func (d *deployment) enable(ctx context.Context, links []string, enabled bool) error {
	for _, link := range links {
		if err := d.toxi.enable(ctx, link, enabled); err != nil {
			return err
		}
	}
	return nil
}
