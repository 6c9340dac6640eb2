package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudmirror/test/lab"
)

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
	if err := d.meddle(ctx, whileBroken, item{}); err != nil {
		return err
	}
	return lab.Pause(ctx, 2*time.Second)
}

// serveOn waits until everything is back, but not if a proof keeps it from that.
func (d *deployment) serveOn(ctx context.Context) error {
	if d.isBroken() {
		return nil
	}
	return d.awaitServing(ctx)
}

func copierStopped(ctx context.Context, d *deployment) error {
	if _, err := d.run(ctx, "stop", "copier-us-east-1"); err != nil {
		return err
	}
	i := newItem("us-east-1")
	if err := d.meddle(ctx, whileBroken, i); err != nil {
		return err
	}
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
	if err := d.meddle(ctx, onceMended, i); err != nil {
		return err
	}
	for _, i := range []item{i, newItem("us-east-1")} {
		if err := d.client.awaitCopy(ctx, i, 60*time.Second); err != nil {
			return err
		}
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
	err = errors.Join(err, <-first)
	if err != nil {
		return err
	}
	if _, err := d.run(ctx, "start", "copier-us-east-1"); err != nil {
		return err
	}
	if err := d.meddle(ctx, onceMended, i); err != nil {
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
		if err := errors.Join(d.awhile(ctx), lab.Pause(ctx, 6*time.Second)); err != nil { // longer than the balancer tries
			return err
		}
		if !d.isBroken() {
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
		if err := errors.Join(d.awhile(ctx), lab.Pause(ctx, 3*time.Second), d.rejoin(ctx, "redis")); err != nil {
			return err
		}
		return d.serveOn(ctx)
	})
	if err != nil {
		return err
	}
	i := newItem(regions[0])
	if err := d.meddle(ctx, onceMended, i); err != nil {
		return err
	}
	return d.client.awaitCopy(ctx, i, 60*time.Second)
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
	if err := errors.Join(d.do(ctx, "pause", "storage-eu-west-1"), d.meddle(ctx, whileBroken, west)); err != nil {
		return err
	}
	err := d.whilePaused(ctx, east, west)
	if err := errors.Join(err, d.do(ctx, "unpause", "storage-eu-west-1")); err != nil {
		return err
	}
	if err := d.meddle(ctx, onceMended, west); err != nil {
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
			if err := errors.Join(err, d.meddle(ctx, whileBroken, item{})); err != nil {
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
			if err := d.serveOn(ctx); err != nil || d.isBroken() {
				return err
			}
		}
		return nil
	})
}
