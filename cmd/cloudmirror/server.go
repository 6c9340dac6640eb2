package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

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
	logger := newLogger(loaded.Log, c.stderr)
	defer func() { _ = logger.Sync() }() // terminals and pipes cannot be synced
	rediscache.LogTo(logger)
	for _, warning := range loaded.Warnings() {
		logger.Warn(warning)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	return app.Run(ctx, app.Options{
		Config: loaded, Role: role, Logger: logger, Version: buildVersion().Version,
	})
}

// untilSignal returns ctx, which the first signal ends that asks to stop. The
// second one does what it does by default.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func newLogger(o config.Log, w io.Writer) *zap.Logger {
	var level zapcore.Level
	switch o.Level {
	case config.LogDebug:
		level = zapcore.DebugLevel
	case config.LogInfo:
		level = zapcore.InfoLevel
	case config.LogWarn:
		level = zapcore.WarnLevel
	case config.LogError:
		level = zapcore.ErrorLevel
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if o.Format == config.LogConsole {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
}
