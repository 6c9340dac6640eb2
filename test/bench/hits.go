package main

import (
	"context"
	"fmt"
	"strings"

	"cloudmirror/test/lab"
)

const (
	goalNear        = 0.42 // of nginx's requests per CPU second
	goalPlain       = 0.25 // the same, with a read of Redis each
	goalEcho        = 0.92 // of bare Echo's
	goalTail        = 1.25 // times bare Echo's p99
	goalAllocations = 4    // over bare Echo's
)

// hitPeers are the servers that answer the same hit, and what was measured.
type hitPeers struct {
	near, serve, plain, echo, nginx *candidate

	gogc            float64
	nearMs, echoMs  []float64 // p99 at a steady load, by round
	nearP50, echoMd []float64
	nearAllocations float64 // each hit
	echoAllocations float64
}

func (p *hitPeers) all() []*candidate { return []*candidate{p.near, p.serve, p.plain, p.echo, p.nginx} }

func measureHits(ctx context.Context, l *laboratory) (result, error) {
	origin, err := l.startOrigin(ctx)
	if err != nil {
		return result{}, err
	}
	defer origin.stop()
	h := hit{url: "http://" + origin.address + "/releases/2026/tool-1.2.3-linux-amd64.tar.gz?size=1024"}
	var p hitPeers
	defer p.stop()
	if err := p.start(ctx, l, &h); err != nil {
		return result{}, err
	}
	path := redirectPath(h.url)
	if err := l.takeTurns(ctx, l.hits, p.all(), []string{path}); err != nil {
		return result{}, err
	}
	if err := p.measureLatency(ctx, l, path); err != nil {
		return result{}, err
	}
	if err := p.countAllocations(ctx, l, path); err != nil {
		return result{}, err
	}
	return p.report(l), nil
}

func (p *hitPeers) start(ctx context.Context, l *laboratory, h *hit) (err error) {
	p.serve = &candidate{name: "`cloudmirror serve`, cache in memory"}
	if p.serve.process, err = l.startServe(ctx, h); err != nil {
		return err
	}
	p.near = &candidate{name: "`cloudmirror frontend` on Redis, with its near cache"}
	if p.near.process, err = l.startOnRedis(ctx, h); err != nil {
		return err
	}
	if p.gogc, err = l.metric(ctx, p.near.process, "go_gc_gogc_percent"); err != nil {
		return err
	}
	p.echo = &candidate{name: "bare Echo"}
	if p.echo.process, err = l.startBareEcho(ctx, h, p.gogc); err != nil {
		return err
	}
	p.plain = &candidate{name: "`cloudmirror frontend`, a read of Redis each"}
	if p.plain.process, err = l.startOnRedis(ctx, h, withoutNear); err != nil {
		return err
	}
	p.nginx = &candidate{name: "nginx `return 302`"}
	p.nginx.process, err = l.startNginx(ctx, h)
	return err
}

func (p *hitPeers) stop() {
	for _, c := range p.all() {
		if c != nil && c.process != nil {
			c.process.stop()
		}
	}
}

// measureLatency asks the front end and bare Echo at the same steady rate.
func (p *hitPeers) measureLatency(ctx context.Context, l *laboratory, path string) error {
	for round := range l.hits {
		for i := range 2 {
			c, p99, p50 := p.near, &p.nearMs, &p.nearP50
			if (i+round)%2 == 1 {
				c, p99, p50 = p.echo, &p.echoMs, &p.echoMd
			}
			took, err := paced(ctx, c.process.address, path, l.round)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			*p99, *p50 = append(*p99, quantile(took, 0.99)), append(*p50, median(took))
		}
	}
	return nil
}

// countAllocations has the runtime count the objects that are allocated for hits.
func (p *hitPeers) countAllocations(ctx context.Context, l *laboratory, path string) (err error) {
	const mallocs = "go_memstats_mallocs_total"
	each := func(c *candidate, count func() (float64, error)) (float64, error) {
		before, err := count()
		if err != nil {
			return 0, err
		}
		redirects, err := l.wrk(ctx, c.process, []string{path}, l.round)
		if err != nil {
			return 0, err
		}
		after, err := count()
		return (after - before) / float64(redirects), err
	}
	p.nearAllocations, err = each(p.near, func() (float64, error) { return l.metric(ctx, p.near.process, mallocs) })
	if err != nil {
		return err
	}
	p.echoAllocations, err = each(p.echo, func() (float64, error) { return l.echoCount(ctx, p.echo.process, "mallocs") })
	return err
}

func (p *hitPeers) report(l *laboratory) result {
	var rows [][]string
	chart := []bar{
		{name: "nginx, return 302", value: median(p.nginx.rates)},
		{name: "bare Echo", value: median(p.echo.rates)},
		{name: "cloudmirror serve", value: median(p.serve.rates), product: true},
		{name: "cloudmirror, near cache on Redis", value: median(p.near.rates), product: true},
		{name: "cloudmirror, a read of Redis each", value: median(p.plain.rates), product: true},
	}
	for _, c := range p.all() {
		rows = append(rows, []string{
			c.name, spread(c.rates, 0), fmt.Sprintf("%.1f", 1e6/median(c.rates)), spread(ratios(c.rates, p.nginx.rates), 2),
			spread(ratios(c.rates, p.echo.rates), 2), fmt.Sprintf("%.0f", median(c.speeds)),
		})
	}
	var text strings.Builder
	fmt.Fprintf(&text, `One object is asked for again and again by wrk on %d keep-alive connections of plain HTTP. The servers, each a process, take turns: %d rounds of %v each after one to warm up, each round beginning with another server. Redis' own CPU seconds are not counted. Bare Echo is test/bench/bareecho: one route, a map look-up, cloudmirror's headers and body, GOGC=%.0f like the front ends (cloudmirror serve, which copies as well, has the 100 of Go). In cloudmirror, metrics, headers, limits of time and logs are as they are by default.

%s
Latency at a steady %d requests a second on as many connections, from when each was due, in %d rounds of %v:

%s
`, connections, l.hits, l.round, p.gogc,
		lab.Table([]string{"server", "requests per CPU second", "µs of CPU per request", "ratio to nginx", "ratio to bare Echo", "requests per second"}, rows),
		pacedRate, l.hits, l.round,
		lab.Table([]string{"milliseconds", "p50", "p99"}, [][]string{
			{p.near.name, spread(p.nearP50, 3), spread(p.nearMs, 3)},
			{p.echo.name, spread(p.echoMd, 3), spread(p.echoMs, 3)},
		}))
	fmt.Fprintf(&text, "Objects that are allocated for each hit: %.2f in the front end with its near cache, %.2f in bare Echo.\n", p.nearAllocations, p.echoAllocations)
	return result{
		goals: []goal{
			atLeast("a hit, near cache: requests per CPU second, of nginx's", asRatio, goalNear, ratios(p.near.rates, p.nginx.rates)...),
			atLeast("a hit, near cache: of bare Echo's", asRatio, goalEcho, ratios(p.near.rates, p.echo.rates)...),
			atLeast("a hit, a read of Redis each: of nginx's", asRatio, goalPlain, ratios(p.plain.rates, p.nginx.rates)...),
			atMost("a hit, near cache: p99, of bare Echo's", asRatio, goalTail, ratios(p.nearMs, p.echoMs)...),
			atMost("a hit, near cache: allocations over bare Echo's", asCount, goalAllocations, p.nearAllocations-p.echoAllocations),
		},
		text: text.String(), chart: chart,
	}
}
