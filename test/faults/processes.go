package main

import (
	"context"
	"time"
)

// processScenarios end processes of ours.
func processScenarios() []scenario {
	return []scenario{
		{name: "rolling-restart", what: "SIGTERM and restart of every process, one after the other", short: true, fault: rollingRestart},
	}
}

// rollingRestart replaces one process after the other, as an upgrade does.
func rollingRestart(ctx context.Context, p *play) error {
	for _, r := range append(append([]*role(nil), p.frontends...), p.copiers...) {
		r.last = r.last.add(p.resultsOf(ctx, r))
		if err := r.terminate(); err != nil {
			p.found("%v", err)
		}
		if err := p.restart(ctx, r); err != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}
