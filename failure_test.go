package cloudmirror_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"cloudmirror"
)

func TestAsFailure(t *testing.T) {
	if f := cloudmirror.AsFailure(nil); f != nil {
		t.Errorf("nil becomes %v", f)
	}
	original := &cloudmirror.Failure{Code: cloudmirror.CodeOriginStatus, Message: "the origin answered 404", Status: 404, Permanent: true}
	if f := cloudmirror.AsFailure(fmt.Errorf("copy: %w", original)); f != original {
		t.Errorf("a wrapped failure becomes %v", f)
	}
	f := cloudmirror.AsFailure(io.ErrClosedPipe)
	if f.Code != cloudmirror.CodeInternal || f.Permanent || f.Message == "" || !errors.Is(f, io.ErrClosedPipe) {
		t.Errorf("another error becomes %#v", f)
	}
}

func TestFailureError(t *testing.T) {
	f := &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout, Message: "the origin is too slow"}
	if got := f.Error(); got != "OriginTimeout: the origin is too slow" {
		t.Error(got)
	}
	f.Err = io.EOF
	if got := f.Error(); got != "OriginTimeout: the origin is too slow: EOF" || !errors.Is(f, io.EOF) {
		t.Error(got)
	}
}
