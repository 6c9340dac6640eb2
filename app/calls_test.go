package app_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

var errRefused = fmt.Errorf("driver: send to s3-eu-west-1: %w", errors.New("AccessDenied"))

func TestAFailedCallStandsUntilOneSucceeds(t *testing.T) {
	c := app.NewQueueCalls("send")
	c.Note(t.Context(), errRefused)
	if err := c.Down(); err == nil || err.Error() != "send: AccessDenied" {
		t.Errorf("after a failure: %v, want its cause without what was sent where", err)
	}
	c.Note(t.Context(), nil)
	if err := c.Down(); err != nil {
		t.Errorf("after a success: %v", err)
	}
}

// The process sends no job to try whether a queue takes it.
func TestAnOldFailureOfAQueueIsADoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := app.NewQueueCalls("send")
		c.Note(t.Context(), errRefused)
		time.Sleep(time.Minute)
		if c.Down() == nil || c.Doubt() != "" {
			t.Errorf("after a minute: down %v, doubt %q", c.Down(), c.Doubt())
		}
		time.Sleep(time.Second)
		want := "unknown since 2000-01-01T00:00:00Z, when the process could not send: AccessDenied"
		if err := c.Down(); err != nil || c.Doubt() != want {
			t.Errorf("later: down %v, doubt %q, want %q", err, c.Doubt(), want)
		}
		c.Note(t.Context(), errRefused)
		if c.Down() == nil {
			t.Error("after another failure it is not down")
		}
	})
}

func TestErrorsThatSayNothingOfADependency(t *testing.T) {
	left, leave := context.WithCancel(t.Context())
	leave()
	for name, test := range map[string]struct {
		ctx context.Context //nolint:containedctx // it is a case
		err error
	}{
		"the caller left":       {left, context.Canceled},
		"a bounded queue":       {t.Context(), fmt.Errorf("memqueue: send: %w", queue.ErrFull)},
		"a message that lapsed": {t.Context(), fmt.Errorf("sqsqueue: extend: %w", queue.ErrGone)},
		"a key that exists":     {t.Context(), fmt.Errorf("s3store: put: %w", storage.ErrExist)},
		"the origin failed":     {t.Context(), fmt.Errorf("s3store: put: %w", &cloudmirror.Failure{Code: cloudmirror.CodeOriginTimeout})},
	} {
		t.Run(name, func(t *testing.T) {
			c := app.NewQueueCalls("send")
			if c.Note(test.ctx, test.err); c.Down() != nil {
				t.Errorf("it counts: %v", c.Down())
			}
			c.Note(t.Context(), errRefused)
			if c.Note(test.ctx, test.err); c.Down() == nil {
				t.Error("it counts as a success")
			}
		})
	}
}

func TestASuccessAllocatesNothing(t *testing.T) {
	c, ctx := app.NewQueueCalls("send"), t.Context()
	if n := testing.AllocsPerRun(100, func() { c.Note(ctx, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A name of an object may be a secret, and anyone may read /readyz.
func TestReadyzNamesNoObject(t *testing.T) {
	for _, cause := range []error{
		errors.New("AccessDenied"),
		&fs.PathError{Op: "write", Path: "tmp/secret", Err: syscall.ENOSPC},
		&os.LinkError{Op: "link", Old: "tmp/a", New: "copies/secret", Err: syscall.EDQUOT},
	} {
		c := app.NewQueueCalls("write")
		c.Note(t.Context(), fmt.Errorf("store: put 00ff/0/secret.zip: %w", cause))
		if err := c.Down(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("it says %v", err)
		}
	}
}
