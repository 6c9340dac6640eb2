package main

import (
	"io"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cloudmirror/config"
)

// newLoggers returns the log of a process, and the one of what operators do: that
// is written whatever the level is, and with whole URLs.
func newLoggers(o config.Log, w io.Writer) (logger, audit *zap.Logger) {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	whole := zapcore.NewJSONEncoder(encoding)
	short := whole
	if o.Format == config.LogConsole {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		whole = zapcore.NewConsoleEncoder(encoding)
		short = lineEncoder{whole}
	}
	out, level := zapcore.Lock(zapcore.AddSync(w)), logLevel(o.Level)
	auditLevel := min(level, zapcore.InfoLevel)
	logger = zap.New(textCore{Core: zapcore.NewCore(short, out, level), most: maxLineBytes})
	audit = zap.New(textCore{Core: zapcore.NewCore(whole, out, auditLevel), most: maxFieldBytes})
	return logger, audit.Named("audit")
}

func logLevel(l config.LogLevel) zapcore.Level {
	switch l {
	case config.LogDebug:
		return zapcore.DebugLevel
	case config.LogWarn:
		return zapcore.WarnLevel
	case config.LogError:
		return zapcore.ErrorLevel
	case config.LogInfo:
	}
	return zapcore.InfoLevel
}

// logForeign sends what libraries write to Go's standard log to logger, at the debug
// level and up to the first quotation mark: net/http quotes there what an
// origin sends without being asked. The returned function ends that.
func logForeign(logger *zap.Logger) (restore func(), err error) {
	return zap.RedirectStdLogAt(logger.Named("go").WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return unquotedCore{c}
	})), zapcore.DebugLevel)
}

type unquotedCore struct{ zapcore.Core }

// Check implements zapcore.Core.
func (c unquotedCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c unquotedCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	e.Message, _, _ = strings.Cut(e.Message, `"`)
	return c.Core.Write(e, fields)
}
