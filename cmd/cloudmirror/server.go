package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"cloudmirror/app"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
)

// serve runs one role until a signal or the end of ctx stops it in order. A
// second signal ends the process at once.
func (c *cli) serve(ctx context.Context, role config.Role, o config.Overrides) error {
	loaded, err := c.load(o)
	if err != nil {
		return err
	}
	if err := loaded.Check(role); err != nil {
		return configError{err}
	}
	tuneGC(role, c.environ)
	logger, audit := newLoggers(loaded.Log, c.stderr)
	defer func() { _ = logger.Sync() }() // terminals and pipes cannot be synced
	restore, err := logForeign(logger)
	if err != nil { // the level is one that there is
		return err
	}
	defer restore()
	rediscache.LogTo(logger)
	for _, warning := range loaded.Warnings() {
		logger.Warn(warning)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	return app.Run(ctx, app.Options{
		Config: loaded, Role: role, Logger: logger, Audit: audit, Version: buildVersion().Version,
	})
}

// untilSignal returns ctx, which the first signal ends that asks to stop, or one of the
// others. The second one does what it does by default.
func untilSignal(ctx context.Context, others ...os.Signal) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, append(others, os.Interrupt, syscall.SIGTERM)...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// hangUp returns the signal that says that the terminal is gone, unless the process
// was told to outlive that, as by nohup.
func hangUp() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return nil
	}
	return []os.Signal{syscall.SIGHUP}
}
