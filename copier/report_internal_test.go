package copier

import (
	"errors"
	"net/http"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"cloudmirror"
)

// Warnings are for what an operator should act upon. Anybody can ask for what there
// is not.
func TestTheLevelOfAJobsEnd(t *testing.T) {
	t.Parallel()
	status := func(status int) error {
		return &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Status: status, Permanent: status < 500}
	}
	broken := &cloudmirror.Failure{Code: cloudmirror.CodeStorageFailed, Err: errors.New("AccessDenied")}
	for _, tt := range []struct {
		name   string
		result result
		err    error
		want   zapcore.Level
	}{
		{"not found", resultFailed, status(http.StatusNotFound), zap.InfoLevel},
		{"gone", resultFailed, status(http.StatusGone), zap.InfoLevel},
		{"forbidden", resultFailed, errors.Join(status(http.StatusForbidden), nil), zap.InfoLevel},
		{"a try that failed", resultRetry, status(http.StatusBadGateway), zap.InfoLevel},
		{"a stop", resultHandedBack, errStopping, zap.InfoLevel},
		{"overtaken", resultLost, errors.New("lost"), zap.InfoLevel},
		{"given up", resultDead, status(http.StatusBadGateway), zap.WarnLevel},
		{"the queue does not answer", resultLeft, errors.New("queue"), zap.WarnLevel},
		{"storage refuses the copy", resultRetry, broken, zap.WarnLevel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			(&task{logger: zap.New(core)}).report(tt.result, tt.err)
			lines := logs.All()
			if len(lines) != 1 || lines[0].Level != tt.want || lines[0].Message == "" || lines[0].ContextMap()["result"] != string(tt.result) {
				t.Errorf("the log has %v, want one line of level %v", lines, tt.want)
			}
		})
	}
	core, logs := observer.New(zap.DebugLevel)
	if (&task{logger: zap.New(core)}).report(resultCopied, nil); logs.Len() != 0 {
		t.Errorf("a job that ended well is reported: %v", logs.All())
	}
}
