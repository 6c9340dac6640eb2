package copier

import (
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cloudmirror"
)

// report logs how a job ended that ended with an error. What an operator should act
// upon is a warning; what origins do, and what is tried again, is none.
func (t *task) report(r result, err error) {
	if err == nil {
		return
	}
	level := zapcore.InfoLevel
	if r == resultDead || r == resultLeft || isOperators(err) {
		level = zapcore.WarnLevel
	}
	fields := []zap.Field{zap.String("result", string(r)), zap.Error(err)}
	if f, ok := errors.AsType[*cloudmirror.Failure](err); ok {
		fields = append(fields, zap.String("code", string(f.Code)))
	}
	t.logger.Log(level, sentenceOf(r), fields...)
}

// isOperators reports whether an operator should look at a failure although its job
// is tried again: storage refuses copies, or the copier itself fails.
func isOperators(err error) bool {
	f, ok := errors.AsType[*cloudmirror.Failure](err)
	return ok && isOurs(f)
}

// sentenceOf returns what a line says of a job that ended with an error.
func sentenceOf(r result) string {
	switch r {
	case resultFailed:
		return "an object cannot be copied"
	case resultRetry:
		return "a copy failed, and is tried again"
	case resultDead:
		return "a job was given up; it lies in the dead letters"
	case resultLost:
		return "a copy was ended: another copier made it, or the object was purged"
	case resultHandedBack:
		return "a job was given back to its queue"
	case resultLeft:
		return "a job was left in its queue, which delivers it again"
	case resultCopied, resultExists, resultDuplicate, resultStale, resultPostponed, resultDeferred:
	}
	return "a job has ended, and its message could not be removed from the queue"
}
