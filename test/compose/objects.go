package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

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
		if err := d.meddle(ctx, whileBroken, i); err != nil {
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
	if err := d.meddle(ctx, whileBroken, i); err != nil {
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
	if err := d.meddle(ctx, whileBroken, i); err != nil {
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
