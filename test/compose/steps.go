package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A step holds one claim against the deployment. It leaves it as it was.
type step struct {
	name  string // for -run: lower case, words joined by hyphens
	claim string
	run   func(context.Context, *deployment) error
	// proof breaks the claim: with it the step must fail. It is undone after it.
	proof proof
}

// steps returns all claims but that everything is removed, which ends each run.
func steps() []step {
	return []step{
		{"cold-and-warm", "the first request of a region copies, the next is a hit, the bytes are the origin's", coldAndWarm, wrongBytes()},
		{"purge", "after a purge no front end redirects to the old copy", purge, noPurge()},
		{"flushdb", "after FLUSHDB copies are found again, and not made again", flush, purgedToo()},
		{"frontend-stopped", "a front end is stopped and started: no request fails", frontendStopped, otherToo("frontend-1", "kill", "start")},
		{"frontend-killed", "a front end is killed and started: no request fails", frontendKilled, otherToo("frontend-1", "kill", "start")},
		{"copier-stopped", "while a copier is stopped its clients go to the origin, then copies are made again", copierStopped, otherToo("origin", "pause", "unpause")},
		{"copier-killed", "a copy whose copier is killed is made all the same", copierKilled, otherToo("origin", "kill", "start")},
		{"frontend-cut-off", "a front end is cut off the network and rejoins: no request fails", frontendCutOff, otherCutOff("frontend-1")},
		{"redis-cut-off", "Redis is cut off the network and rejoins: no request fails", redisCutOff, otherToo("origin", "pause", "unpause")},
		{"storage-paused", "while a region's storage is paused its clients go to the origin, and the other region is as it was", storagePaused, otherToo("storage-us-east-1", "pause", "unpause")},
		{"rolling-replacement", "every process is replaced under load: no request fails", rollingReplacement, otherToo("frontend-1", "kill", "start")},
	}
}

func coldAndWarm(ctx context.Context, d *deployment) error {
	for _, region := range regions {
		i := newItem(region)
		cold, err := d.client.get(ctx, i)
		if err == nil && (cold.fromOrigin || !strings.Contains(cold.cache, "fwd=miss; stored")) {
			err = fmt.Errorf("the first request was no miss that was stored: %s", cold)
		}
		if err != nil {
			return err
		}
		for range 4 { // both front ends
			warm, err := d.client.get(ctx, i)
			if err == nil && (warm.location != cold.location || !strings.Contains(warm.cache, "; hit")) {
				err = fmt.Errorf("a later request was no hit: %s", warm)
			}
			if err != nil {
				return err
			}
		}
		if err := d.copiedTimes(ctx, i, "1"); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) copiedTimes(ctx context.Context, i item, want string) error {
	got, err := d.client.copies(ctx, i)
	if err == nil && got != want {
		err = fmt.Errorf("%s was copied %s times, not %s", i.path, got, want)
	}
	return err
}

// purge lets both front ends remember an object, and purges at one of them.
func purge(ctx context.Context, d *deployment) error {
	i := newItem(regions[0])
	var fronts []string
	for _, name := range []string{"frontend-1", "frontend-2"} {
		front, err := d.frontURL(ctx, name)
		if err != nil {
			return err
		}
		fronts = append(fronts, front)
	}
	var old answer
	for range 2 { // the second time each answers from memory
		for _, front := range fronts {
			var err error
			if old, err = d.client.getFrom(ctx, front, i); err != nil {
				return err
			}
		}
	}
	if err := d.client.purge(ctx, fronts[0], i); err != nil {
		return err
	}
	if err := d.client.compare(ctx, old.location, i); err == nil {
		return errors.New("the old copy is still there")
	}
	for n, front := range []string{fronts[1], fronts[0]} {
		now, err := d.client.getFrom(ctx, front, i)
		if err == nil && now.location == old.location {
			err = fmt.Errorf("%s: redirected to the old copy", front)
		}
		if err == nil && n == 0 && !strings.Contains(now.cache, "fwd=miss") {
			err = fmt.Errorf("%s did not see the purge: %s", front, now)
		}
		if err != nil {
			return err
		}
	}
	return d.copiedTimes(ctx, i, "2")
}

func flush(ctx context.Context, d *deployment) error {
	i := newItem(regions[1])
	before, err := d.client.get(ctx, i)
	if err != nil {
		return err
	}
	id, err := d.container(ctx, "redis")
	if err != nil {
		return err
	}
	if _, err := d.docker(ctx, "exec", id, "redis-cli", "flushdb"); err != nil {
		return err
	}
	if err := d.meddleWith(ctx, i); err != nil {
		return err
	}
	for range 4 {
		after, err := d.client.get(ctx, i)
		if err == nil && after.location != before.location {
			err = fmt.Errorf("redirected to %s, before to %s", after, before)
		}
		if err != nil {
			return err
		}
	}
	return d.copiedTimes(ctx, i, "1")
}

func frontendStopped(ctx context.Context, d *deployment) error {
	return d.underLoad(ctx, func() error {
		if _, err := d.run(ctx, "stop", "frontend-2"); err != nil {
			return err
		}
		return d.startAgain(ctx, "frontend-2")
	})
}

func frontendKilled(ctx context.Context, d *deployment) error {
	return d.underLoad(ctx, func() error {
		if err := d.do(ctx, "kill", "frontend-2"); err != nil {
			return err
		}
		return d.startAgain(ctx, "frontend-2")
	})
}

// startAgain starts a service under load, after a while without it.
func (d *deployment) startAgain(ctx context.Context, name string) error {
	if err := d.awhile(ctx); err != nil {
		return err
	}
	if _, err := d.run(ctx, "start", name); err != nil {
		return err
	}
	return d.serveOn(ctx)
}

// awhile is the time that load goes on with a part missing.
func (d *deployment) awhile(ctx context.Context) error {
	if err := d.meddle(ctx); err != nil {
		return err
	}
	return pause(ctx, 2*time.Second)
}

// serveOn waits until everything is back, but not if a proof keeps it from that.
func (d *deployment) serveOn(ctx context.Context) error {
	if d.proving {
		return nil
	}
	return d.awaitServing(ctx)
}

func copierStopped(ctx context.Context, d *deployment) error {
	if _, err := d.run(ctx, "stop", "copier-us-east-1"); err != nil {
		return err
	}
	if err := d.meddle(ctx); err != nil {
		return err
	}
	i := newItem("us-east-1")
	a, err := d.client.get(ctx, i)
	if err == nil && !a.fromOrigin {
		err = fmt.Errorf("there is a copy without a copier: %s", a)
	}
	if err != nil {
		return err
	}
	other, err := d.client.get(ctx, newItem("eu-west-1"))
	if err == nil && other.fromOrigin {
		err = fmt.Errorf("the other region's copier does not copy: %s", other)
	}
	if err != nil {
		return err
	}
	if _, err := d.run(ctx, "start", "copier-us-east-1"); err != nil {
		return err
	}
	if err := d.client.awaitCopy(ctx, i, 60*time.Second); err != nil {
		return err
	}
	return d.serveOn(ctx)
}

// copierKilled kills a copier in the middle of a copy.
func copierKilled(ctx context.Context, d *deployment) error {
	i := newItem("us-east-1")
	i.size, i.rate = 4<<20, 1<<20
	first := make(chan error, 1)
	go func() {
		_, err := d.client.get(ctx, i)
		first <- err
	}()
	err := await(ctx, 10*time.Second, func() error { return d.copiedTimes(ctx, i, "1") })
	if err == nil {
		err = d.do(ctx, "kill", "copier-us-east-1")
	}
	if err == nil {
		err = d.meddle(ctx)
	}
	err = errors.Join(err, <-first)
	if err != nil {
		return err
	}
	if _, err := d.run(ctx, "start", "copier-us-east-1"); err != nil {
		return err
	}
	if err := d.client.awaitCopy(ctx, i, 90*time.Second); err != nil {
		return err
	}
	return d.serveOn(ctx)
}

// frontendCutOff waits until the balancer has noticed, before the front end comes
// back.
func frontendCutOff(ctx context.Context, d *deployment) error {
	return d.underLoad(ctx, func() error {
		if err := d.cutOff(ctx, "frontend-2"); err != nil {
			return err
		}
		if err := d.awhile(ctx); err != nil {
			return err
		}
		if !d.proving {
			if err := await(ctx, 20*time.Second, func() error { return d.balanced(ctx, "frontend-1") }); err != nil {
				return err
			}
		}
		if err := d.rejoin(ctx, "frontend-2"); err != nil {
			return err
		}
		return d.serveOn(ctx)
	})
}

func redisCutOff(ctx context.Context, d *deployment) error {
	err := d.underLoad(ctx, func() error {
		if err := d.cutOff(ctx, "redis"); err != nil {
			return err
		}
		if err := errors.Join(d.awhile(ctx), pause(ctx, 3*time.Second), d.rejoin(ctx, "redis")); err != nil {
			return err
		}
		return d.serveOn(ctx)
	})
	if err != nil {
		return err
	}
	return d.client.awaitCopy(ctx, newItem(regions[0]), 60*time.Second)
}

// storagePaused asks for a known copy of each region. Until probes have failed,
// clients are led to a storage that does not answer: that is not held against it.
func storagePaused(ctx context.Context, d *deployment) error {
	east, west := newItem("us-east-1"), newItem("eu-west-1")
	for _, i := range []item{east, west} {
		if err := d.client.awaitCopy(ctx, i, 30*time.Second); err != nil {
			return err
		}
	}
	if err := errors.Join(d.do(ctx, "pause", "storage-eu-west-1"), d.meddle(ctx)); err != nil {
		return err
	}
	err := d.whilePaused(ctx, east, west)
	if err := errors.Join(err, d.do(ctx, "unpause", "storage-eu-west-1")); err != nil {
		return err
	}
	if err := d.client.awaitCopy(ctx, west, 60*time.Second); err != nil {
		return err
	}
	return d.serveOn(ctx)
}

func (d *deployment) whilePaused(ctx context.Context, east, west item) error {
	inRow := 0
	err := await(ctx, 20*time.Second, func() error {
		a, err := d.client.ask(ctx, d.balancerURL(), west)
		if inRow++; err == nil && a.fromOrigin && inRow >= 4 { // both front ends know
			return nil
		}
		if !a.fromOrigin {
			inRow = 0
		}
		return fmt.Errorf("clients of the paused region are sent to %s: %w", a, err)
	})
	if err != nil {
		return err
	}
	for range 10 {
		a, err := d.client.get(ctx, west)
		if err == nil && !a.fromOrigin {
			err = fmt.Errorf("sent to the paused region: %s", a)
		}
		if err != nil {
			return err
		}
		if a, err = d.client.get(ctx, east); err == nil && a.fromOrigin {
			err = fmt.Errorf("the other region is not served: %s", a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func rollingReplacement(ctx context.Context, d *deployment) error {
	return d.underLoad(ctx, func() error {
		for _, name := range []string{"frontend-2", "frontend-1", "copier-us-east-1", "copier-eu-west-1"} {
			before, err := d.container(ctx, name)
			if err != nil {
				return err
			}
			if _, err := d.run(ctx, "up", "-d", "--no-deps", "--force-recreate", name); err != nil {
				return err
			}
			after, err := d.container(ctx, name)
			if err == nil && after == before {
				err = fmt.Errorf("%s was not replaced", name)
			}
			if err != nil {
				return err
			}
			if err := d.awhile(ctx); err != nil {
				return err
			}
			if d.proving {
				return nil
			}
			if err := d.awaitServing(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
