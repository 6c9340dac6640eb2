package main

import (
	"io"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cloudmirror/config"
)

// newLoggers returns the log of a process, and the one of what operators do: that
// is written whatever the level is.
func newLoggers(o config.Log, w io.Writer) (logger, audit *zap.Logger) {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if o.Format == config.LogConsole {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	out, level := zapcore.Lock(zapcore.AddSync(w)), logLevel(o.Level)
	newLogger := func(level zapcore.Level) *zap.Logger {
		return zap.New(boundedCore{zapcore.NewCore(encoder, out, level)})
	}
	return newLogger(level), newLogger(min(level, zapcore.InfoLevel)).Named("audit")
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

// maxFieldBytes bounds what a field of a log line holds. Texts of clients,
// origins, storages and queues end in them.
const maxFieldBytes = 4 << 10

// A boundedCore cuts long texts.
type boundedCore struct{ zapcore.Core }

// With implements zapcore.Core.
func (c boundedCore) With(fields []zapcore.Field) zapcore.Core {
	return boundedCore{c.Core.With(bounded(fields))}
}

// Check implements zapcore.Core.
func (c boundedCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c boundedCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	e.Message = cut(e.Message)
	return c.Core.Write(e, bounded(fields))
}

// bounded returns the fields with their texts cut. An error is its text and nothing
// more: verbose forms would show what the text leaves out.
func bounded(fields []zapcore.Field) []zapcore.Field {
	cutFields := make([]zapcore.Field, len(fields))
	for i, f := range fields {
		if f.Type == zapcore.StringType {
			f.String = cut(f.String)
		}
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			f = zap.String(f.Key, cut(err.Error()))
		}
		cutFields[i] = f
	}
	return cutFields
}

func cut(text string) string {
	if len(text) > maxFieldBytes {
		return text[:maxFieldBytes] + "…"
	}
	return text
}

// logForeign has what libraries write to Go's standard log written to ours, at the
// debug level and up to the first quotation mark: net/http quotes there what an
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
