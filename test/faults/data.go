package main

import (
	"context"
	"time"
)

// dataScenarios break what the parts hold.
func dataScenarios() []scenario {
	return []scenario{
		{name: "flushall", what: "FLUSHALL every 2 s, for 10 s", short: true, atOnce: 2, fault: flushAll},
	}
}

func holdStill(ctx context.Context, _ *play) error { return pause(ctx, 5*time.Second) }

func flushAll(ctx context.Context, p *play) error {
	for range 5 {
		if err := p.redis[0].client.FlushAll(ctx).Err(); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}
