package copier

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// probeTimeout bounds one probe of a dependency.
const probeTimeout = 5 * time.Second

// A gate stands before a dependency. It is open until a task calls doubt. Then it
// opens again with the first probe that succeeds.
type gate struct {
	probe   func(context.Context) error
	doubted atomic.Bool
}

// doubt closes the gate until a probe has succeeded.
func (g *gate) doubt() { g.doubted.Store(true) }

// await waits until the gate is open. It reports false if ctx ended first.
func (g *gate) await(ctx context.Context, logger *zap.Logger, name string) bool {
	for failures := 1; g.doubted.Load() && ctx.Err() == nil; failures++ {
		err := g.check(ctx)
		if err == nil {
			g.doubted.Store(false)
			break
		}
		logger.Warn("receives no jobs: the "+name+" is down", zap.Error(err), zap.Int("failures", failures))
		pause(ctx, backOff(failures))
	}
	return ctx.Err() == nil
}

// check probes the dependency once.
func (g *gate) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return g.probe(ctx)
}
