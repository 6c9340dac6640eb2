package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cloudmirror/test/lab"

	"cloudmirror"
)

// What strangers do in the scenario of dripping origins, and what that may cost.
const (
	drippingHosts = 100
	dripEvery     = 5 * time.Second
	dripFor       = 45 * time.Second // longer than the least throughput lets one go on
	behindLimit   = 15 * time.Second // until the copy of an object that is queued behind all of them
	besideLimit   = 5 * time.Second  // of one that is asked for while they run
)

// dripScenarios have strangers name origins that are slow on purpose.
func dripScenarios() []scenario {
	return []scenario{{
		name: "dripping-origins", what: fmt.Sprintf("%d hosts of strangers send a byte every %v", drippingHosts, dripEvery),
		fault: dripAll,
	}}
}

// dripAll asks for an object of each of the hosts, and goes on asking, as clients
// do. Meanwhile it asks for new objects of the origin.
func dripAll(ctx context.Context, p *play) error {
	stop, targets, err := startDripping()
	if err != nil {
		return err
	}
	defer stop()
	asking, enough := context.WithTimeout(ctx, dripFor)
	defer enough()
	var strangers sync.WaitGroup
	defer strangers.Wait()
	for n, target := range targets {
		strangers.Go(func() {
			url := target.RedirectURL(p.frontURL(), item{region: regions[n%len(regions)]}.backend())
			for c := newClient(p.deployment); asking.Err() == nil; {
				_, _ = c.ask(asking, url, &record{}) // it is sent to the origin in the end
			}
		})
	}
	if err := lab.Pause(ctx, time.Second); err != nil { // until all are asked for
		return err
	}
	p.wantCopyWithin(ctx, specialItem(regions[0], smallBytes, 0), behindLimit)
	worst, slow := time.Duration(0), 0.0
	for n := 0; asking.Err() == nil; n++ {
		worst = max(worst, p.wantCopyWithin(ctx, specialItem(regions[n%len(regions)], 1<<10, 0), besideLimit))
		now := 0.0
		for _, c := range p.copiers {
			now += value(p.metrics(ctx, c), "cloudmirror_copies_slow")
		}
		slow = max(slow, now)
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	p.note("new objects of 1 KB were copied in %v at most while up to %.0f copies were slow", worst.Round(time.Millisecond), slow)
	if slow == 0 {
		p.found("no copy was slow: nothing was tested")
	}
	return nil
}

// wantCopyWithin asks for an object until there is a copy, and returns how long it
// took.
func (p *play) wantCopyWithin(ctx context.Context, i item, limit time.Duration) time.Duration {
	begun := time.Now()
	for c := newClient(p.deployment); ctx.Err() == nil; {
		r := c.get(ctx, i)
		p.load.note(r)
		took := time.Since(begun)
		if r.where != "copy" && took < recoverLimit {
			continue
		}
		if r.where != "copy" || took > limit {
			p.found("%s had a copy after %v (sent to: %s), want %v at most", i.path, took, r.where, limit)
		}
		return took
	}
	return 0
}

// startDripping starts a server that drips at many addresses of this machine, each
// of which is a host, and returns an object of each.
func startDripping() (stop func(), targets []cloudmirror.Object, err error) {
	port, err := lab.FreePort()
	if err != nil {
		return nil, nil, err
	}
	for n := range drippingHosts {
		o, err := cloudmirror.ParseObject(fmt.Sprintf("http://127.77.0.%d:%s/drip", n+1, port))
		if err != nil {
			return nil, nil, err
		}
		targets = append(targets, o)
	}
	server, err := lab.Serve(":"+port, http.HandlerFunc(dripBody))
	if err != nil {
		return nil, nil, err
	}
	return server.Close, targets, nil
}

// dripBody answers with a large object and sends a byte of it now and then.
func dripBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(1<<30))
	tick := time.NewTicker(dripEvery)
	defer tick.Stop()
	for {
		_, err := w.Write([]byte{0})
		if err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
