package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cloudmirror/config"
)

// checkLines checks what a person reads of a log: a line in the console's format, or
// a text of a line in JSON, has at most maxLineBytes at the levels above debug.
func checkLines(t *testing.T, format config.LogFormat, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if format == config.LogConsole {
			if len(line) > maxLineBytes && !strings.Contains(line, "\tDEBUG\t") {
				t.Errorf("a line has %d bytes: %s", len(line), line)
			}
			continue
		}
		fields := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("%v: %q", err, line)
		}
		for key, value := range fields {
			if text, ok := value.(string); ok && len(text) > maxLineBytes && fields["level"] != "debug" {
				t.Errorf("%s has %d bytes: %s", key, len(text), line)
			}
		}
	}
}

var formats = []config.LogFormat{config.LogJSON, config.LogConsole}

func TestLinesOfTheLogAreBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<19)
	for _, format := range formats {
		for _, level := range []config.LogLevel{config.LogDebug, config.LogInfo} {
			var out bytes.Buffer
			logger, audit := newLoggers(config.Log{Level: level, Format: format}, &out)
			logger = logger.With(zap.String("with", long))
			for _, l := range []zapcore.Level{zap.DebugLevel, zap.InfoLevel, zap.WarnLevel, zap.ErrorLevel} {
				logger.Log(l, long, zap.String("text", long), zap.Stringer("stringer", bytes.NewBufferString(long)), zap.Error(errors.New(long)), zap.Error(nil))
			}
			logger.Warn("short", zap.Strings("a list", strings.Fields(strings.Repeat("word ", 100))))
			checkLines(t, format, out.String())
			lines := map[config.LogLevel]int{config.LogDebug: 8, config.LogInfo: 4}[level]
			if n := strings.Count(out.String(), "\n"); n != lines || out.Len() > n*5*maxFieldBytes {
				t.Errorf("%s, %s: %d lines, want %d, of %d bytes", format, level, n, lines, out.Len())
			}
			out.Reset()
			audit.Info("purge", zap.String("url", strings.Repeat("u", 1000)))
			if n := out.Len(); n < 1000 {
				t.Errorf("the audit cuts a URL: %s", out.String())
			}
		}
	}
}

// What matters most of a long line is still there: the message, the error, and the
// end of the object, which is its hash.
func TestALongLineKeepsItsError(t *testing.T) {
	var out bytes.Buffer
	logger, _ := newLoggers(config.Log{Level: config.LogInfo, Format: config.LogConsole}, &out)
	cause := "connection refused (127.0.0.1:7002)"
	logger.With(zap.String("object", strings.Repeat("o", 500)+"hash")).Warn("a copy failed", zap.Error(errors.New(cause)))
	for _, want := range []string{"a copy failed", cause, "hash\""} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}

// A copier's line has more fields than fit: those that its message repeats go first.
func TestALongLineOfACopierKeepsItsError(t *testing.T) {
	var out bytes.Buffer
	logger, _ := newLoggers(config.Log{Level: config.LogInfo, Format: config.LogConsole}, &out)
	cause := "the copy could not be stored: write: no space left on device (s3.eu-west-1.example.com)"
	logger.With(zap.String("backend", "s3/eu-west-1"), zap.String("object", "https://example.com/a"), zap.String("job", strings.Repeat("j", 26))).
		Warn("a copy failed, and is tried again", zap.String("result", "retry"), zap.Error(errors.New(cause)), zap.String("code", "StorageFailed"))
	if !strings.Contains(out.String(), cause) || out.Len() > maxLineBytes+1 {
		t.Errorf("%d bytes: %s", out.Len(), out.String())
	}
}

// chained is an error as SDKs make them.
type chained struct{ error }

func (chained) Clause() string { return "connection refused (127.0.0.1:7002)" }

func TestAnErrorIsAClauseAndWholeAtDebug(t *testing.T) {
	whole := "s3store: list x: operation error S3: ListObjectsV2, exceeded maximum number of attempts, 3, RequestID: 1"
	err := fmt.Errorf("wrapped: %w", chained{errors.New(whole)})
	for _, format := range formats {
		for level, lines := range map[config.LogLevel]int{config.LogDebug: 2, config.LogInfo: 1} {
			var out bytes.Buffer
			logger, _ := newLoggers(config.Log{Level: level, Format: format}, &out)
			logger.Warn("storage", zap.Error(err))
			first, rest, _ := strings.Cut(out.String(), "\n")
			if !strings.Contains(first, "connection refused (127.0.0.1:7002)") || strings.Contains(first, "RequestID") {
				t.Errorf("the line is %s", first)
			}
			if n := strings.Count(out.String(), "\n"); n != lines || n > 1 && !strings.Contains(rest, whole) {
				t.Errorf("%s, %s: %d lines, want %d: %s", format, level, n, lines, out.String())
			}
		}
	}
}

func TestTheStackOfAPanicIsWhole(t *testing.T) {
	for _, format := range formats {
		var out bytes.Buffer
		logger, _ := newLoggers(config.Log{Level: config.LogInfo, Format: format}, &out)
		stack := strings.Repeat("stack ", 200) + "end"
		logger.Error("a request panicked", zap.String(stackField, stack))
		if !strings.Contains(out.String(), stack) {
			t.Errorf("the stack is cut: %s", out.String())
		}
	}
}
