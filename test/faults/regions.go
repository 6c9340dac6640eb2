package main

import (
	"context"
	"time"
)

// outage is how long a region's copies cannot be fetched: long enough for some
// time to be left when it has been noticed.
const outage = 20 * time.Second

// regionScenarios cut clients off from what we redirect them to.
func regionScenarios() []scenario {
	first := regions[0]
	return []scenario{
		{
			name: "region-clients-refused", what: "a region's copies, for clients only: connections refused", short: true, atOnce: 2,
			fault: unreachable(refuse, publicPrefix+first),
		},
		{
			name: "region-clients-blackhole", what: "a region's copies, for clients only: nothing comes back", atOnce: 2,
			fault: unreachable(toxics(toxic{Type: "timeout", Stream: "downstream", Attributes: attributes("timeout", 0)}), publicPrefix+first),
		},
		{
			name: "region-down", what: "a region's storage, for everybody: connections refused", atOnce: 2,
			fault: unreachable(refuse, publicPrefix+first, s3Prefix+first),
		},
		{
			name: "region-clients-slow", what: "a region's copies, for clients only: answers 5 s late", atOnce: 2,
			fault: func(ctx context.Context, p *play) error {
				late := toxics(toxic{Type: "latency", Stream: "downstream", Attributes: attributes("latency", 5000)})
				return late(ctx, p, 8*time.Second, []string{publicPrefix + first})
			},
		},
		{
			name: "origin-down", what: "the origin, for everybody: connections refused", atOnce: 2,
			fault: func(ctx context.Context, p *play) error {
				p.clientsShareOrigin.Store(true)
				p.declareOrigin(true)
				err := refuse(ctx, p, 10*time.Second, []string{originCopiers})
				p.declareOrigin(false)
				p.clientsShareOrigin.Store(false)
				return err
			},
		},
	}
}

// unreachable plays a fault of links over which clients fetch a region's copies.
// Redirects to them are excused for the time that it takes to notice.
func unreachable(bring linkPlay, links ...string) faultFunc {
	return func(ctx context.Context, p *play) error {
		p.declareDead(regions[0], p.window)
		if p.window > 0 {
			p.note("redirects in the first %v of it are counted as dead copies: nobody can know yet", p.window)
		} else {
			p.note("this binary has no monitor of regions")
		}
		return bring(ctx, p, outage, links)
	}
}
