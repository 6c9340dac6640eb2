package main

import (
	"context"
	"errors"
	"fmt"
)

// A proof shows that a step can fail: it breaks what the step claims. begin is
// called before the step, meddle in the middle of it; undo, after it, also brings
// back what the step itself left broken. Each may be nil.
type proof struct {
	what   string
	begin  func(*deployment)
	meddle func(context.Context, *deployment) error
	object func(context.Context, *deployment, item) error // as meddle, of steps with one object
	undo   func(context.Context, *deployment) error
}

func wrongBytes() proof {
	return proof{
		what:  "the first byte of what clients get is changed",
		begin: func(d *deployment) { d.client.flip.Store(true) },
		undo:  func(_ context.Context, d *deployment) error { d.client.flip.Store(false); return nil },
	}
}

func noPurge() proof {
	return proof{
		what:  "the purge is not sent",
		begin: func(d *deployment) { d.client.swallow.Store(true) },
		undo:  func(_ context.Context, d *deployment) error { d.client.swallow.Store(false); return nil },
	}
}

func purgedToo() proof {
	return proof{
		what: "the copy is purged beside the flush",
		object: func(ctx context.Context, d *deployment, i item) error {
			return d.client.purge(ctx, d.balancerURL(), i)
		},
	}
}

// otherToo breaks another service in the middle of a step, by a command of
// docker, and mends it by another.
func otherToo(name, command, undo string) proof {
	return proof{
		what:   command + " " + name + ", too",
		meddle: func(ctx context.Context, d *deployment) error { return d.do(ctx, command, name) },
		undo:   func(ctx context.Context, d *deployment) error { return d.do(ctx, undo, name) },
	}
}

func otherCutOff(name string) proof {
	return proof{
		what:   "cut off " + name + ", too",
		meddle: func(ctx context.Context, d *deployment) error { return d.cutOff(ctx, name) },
		undo:   func(ctx context.Context, d *deployment) error { return d.rejoin(ctx, name) },
	}
}

// prove plays a step with its proof, and returns an error if it passes.
func (d *deployment) prove(ctx context.Context, s step) error {
	d.proving = true
	d.meddle = func(ctx context.Context) error {
		if s.proof.meddle == nil {
			return nil
		}
		return s.proof.meddle(ctx, d)
	}
	d.meddleWith = func(ctx context.Context, i item) error {
		if s.proof.object == nil {
			return nil
		}
		return s.proof.object(ctx, d, i)
	}
	if s.proof.begin != nil {
		s.proof.begin(d)
	}
	red := s.run(ctx, d)
	d.holdStill()
	if s.proof.undo != nil {
		if err := s.proof.undo(ctx, d); err != nil {
			return fmt.Errorf("undo the proof: %w", err)
		}
	}
	if err := d.mend(ctx); err != nil {
		return fmt.Errorf("after the proof: %w", err)
	}
	if red == nil {
		return fmt.Errorf("it passes although: %s", s.proof.what)
	}
	logf("    red when broken (%s), as it should: %v", s.proof.what, red)
	return nil
}

// holdStill ends all proofs.
func (d *deployment) holdStill() {
	d.proving = false
	d.meddle = func(context.Context) error { return nil }
	d.meddleWith = func(context.Context, item) error { return nil }
}

// mend brings back what a step that failed half-way left broken.
func (d *deployment) mend(ctx context.Context) error {
	for _, name := range []string{"frontend-2", "copier-us-east-1", "storage-eu-west-1", "redis"} {
		id, err := d.container(ctx, name)
		if err != nil {
			return err
		}
		if state, err := d.docker(ctx, "inspect", "-f", "{{.State.Status}}", id); err != nil || state == "paused" {
			if err := errors.Join(err, d.do(ctx, "unpause", name)); err != nil {
				return err
			}
		}
		networks, err := d.docker(ctx, "inspect", "-f", "{{len .NetworkSettings.Networks}}", id)
		if err == nil && networks == "0" {
			err = d.rejoin(ctx, name)
		}
		if err == nil {
			err = d.do(ctx, "start", name)
		}
		if err != nil {
			return err
		}
	}
	return d.awaitServing(ctx)
}
