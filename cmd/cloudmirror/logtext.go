package main

import (
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"cloudmirror"
)

const (
	// maxLineBytes bounds what a person reads at once, at levels above debug: a
	// line in the console's format, a text in the format json.
	maxLineBytes = cloudmirror.MaxClauseBytes
	// maxFieldBytes bounds each text of the level debug and of the audit. Texts of
	// clients, origins, storages and queues end in them.
	maxFieldBytes = 4 << 10
	// stackField is the one text that is not cut: a panic's is useless in part.
	stackField = "stack"
	// jobField, codeField and resultField are left out first where a line is too long:
	// the message, the object and the error say more.
	jobField    = "job"
	codeField   = "code"
	resultField = "result"
)

// A textCore shortens texts. Above the level debug an error is its clause; if that
// level is written, a line of it follows with the whole error.
type textCore struct {
	zapcore.Core
	with []zapcore.Field // encoded with each line, so that they can be shortened
	most int             // bytes of a text above debug
}

// With implements zapcore.Core.
func (c textCore) With(fields []zapcore.Field) zapcore.Core {
	c.with = slices.Concat(c.with, fields)
	return c
}

// Check implements zapcore.Core.
func (c textCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c textCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	fields = slices.Concat(c.with, fields)
	if e.Level == zapcore.DebugLevel {
		return c.writeWhole(e, fields)
	}
	shorter, isShorter := clauses(fields)
	short := e
	short.Message = cut(e.Message, c.most)
	if err := c.Core.Write(short, cutFields(shorter, func(zapcore.Field) int { return c.most })); err != nil {
		return err
	}
	if !isShorter || !c.Enabled(zapcore.DebugLevel) {
		return nil
	}
	e.Level, e.Message = zapcore.DebugLevel, "the whole error of: "+e.Message
	return c.writeWhole(e, fields)
}

// writeWhole writes a line with errors as they are.
func (c textCore) writeWhole(e zapcore.Entry, fields []zapcore.Field) error {
	e.Message = cut(e.Message, maxFieldBytes)
	return c.Core.Write(e, cutFields(fields, func(zapcore.Field) int { return maxFieldBytes }))
}

// clauses returns the fields with errors as their clauses, and reports whether one
// of those says less than its error.
func clauses(fields []zapcore.Field) (shorter []zapcore.Field, isShorter bool) {
	shorter = slices.Clone(fields)
	for i, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			clause := cloudmirror.Clause(err)
			isShorter = isShorter || clause != err.Error()
			shorter[i] = zap.String(f.Key, clause)
		}
	}
	return shorter, isShorter
}

// cutFields returns the fields with each text cut to what most says for it. An
// error becomes its text and nothing more: verbose forms would show what the text
// leaves out.
func cutFields(fields []zapcore.Field, most func(zapcore.Field) int) []zapcore.Field {
	short := slices.Clone(fields)
	for i, f := range fields {
		switch f.Type {
		case zapcore.StringType:
			if f.Key != stackField {
				short[i].String = shorten(f, f.String, most(f))
			}
		case zapcore.StringerType, zapcore.ErrorType:
			short[i] = zap.String(f.Key, shorten(f, fmt.Sprint(f.Interface), most(f)))
		default:
		}
	}
	return short
}

// shorten cuts errors at their ends, and other texts in the middle: the end of an
// object's text is the hash of its URL.
func shorten(f zapcore.Field, text string, most int) string {
	if len(text) <= most || isError(f) {
		return cut(text, most)
	}
	half := (most - len("…")) / 2
	return strings.ToValidUTF8(text[:half]+"…"+text[len(text)-half:], "")
}

// longest returns the bytes of the longer one of message and error, at most most.
func longest(e zapcore.Entry, fields []zapcore.Field, most int) int {
	longest := len(e.Message)
	for _, f := range fields {
		if isError(f) {
			longest = max(longest, len(f.String))
		}
	}
	return min(longest, most)
}

func isError(f zapcore.Field) bool { return f.Key == "error" }

// cut shortens a text to at most that number of bytes. What is cut off ends with an
// ellipsis.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}

// minLongBytes is what is left of an error or a message in a line that is too long.
const minLongBytes = 60

// A lineEncoder bounds whole lines above the level debug: it cuts the texts of a line
// more and more until maxLineBytes are enough, and then its message and error by what
// is too much.
type lineEncoder struct{ zapcore.Encoder }

// Clone implements zapcore.Encoder.
func (l lineEncoder) Clone() zapcore.Encoder { return lineEncoder{l.Encoder.Clone()} }

// EncodeEntry implements zapcore.Encoder.
func (l lineEncoder) EncodeEntry(e zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := l.Encoder.EncodeEntry(e, fields)
	isWhole := e.Level == zapcore.DebugLevel || slices.ContainsFunc(fields, func(f zapcore.Field) bool { return f.Key == stackField })
	if err != nil || isWhole {
		return line, err
	}
	long := maxLineBytes
	fields = slices.DeleteFunc(slices.Clone(fields), func(f zapcore.Field) bool {
		return f.Key == jobField || f.Key == codeField || f.Key == resultField
	})
	for _, most := range []int{maxLineBytes, 120, 60, 40, 40, 20, 10} {
		excess := line.Len() - maxLineBytes - 1 // the end of the line does not count
		if excess <= 0 {
			return line, nil
		}
		if most <= 40 { // the other texts are short enough
			long = max(longest(e, fields, long)-excess, minLongBytes)
		}
		line.Free()
		e.Message = cut(e.Message, long)
		line, err = l.Encoder.EncodeEntry(e, cutFields(fields, func(f zapcore.Field) int {
			if isError(f) {
				return long
			}
			return most
		}))
		if err != nil {
			return line, err
		}
	}
	if line.Len() > maxLineBytes+1 {
		text := cut(line.String(), maxLineBytes)
		line.Reset()
		line.AppendString(text + "\n")
	}
	return line, nil
}
