package copier

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// probeTimeout bounds one probe of a dependency.
const probeTimeout = 5 * time.Second

// A dependency is taken to be up until a task suspects it, and then again from the
// first probe that succeeds.
type dependency struct {
	probe     func(context.Context) error
	isSuspect atomic.Bool
}

// suspect has the dependency taken to be down until a probe has succeeded.
func (d *dependency) suspect() { d.isSuspect.Store(true) }

// awaitUp waits until the dependency is taken to be up. It reports false if ctx ended first.
func (d *dependency) awaitUp(ctx context.Context, logger *zap.Logger, name string) bool {
	for failures := 1; d.isSuspect.Load() && ctx.Err() == nil; failures++ {
		err := d.check(ctx)
		if err == nil {
			d.isSuspect.Store(false)
			break
		}
		logger.Warn("receives no jobs: the "+name+" is down", zap.Error(err), zap.Int("failures", failures))
		pause(ctx, backOff(failures))
	}
	return ctx.Err() == nil
}

// check probes the dependency once.
func (d *dependency) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return d.probe(ctx)
}
