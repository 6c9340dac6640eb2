package rediscache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A lateContext makes who waits with it come late to each of its turns.
type lateContext struct {
	context.Context //nolint:containedctx // it is one
	late            time.Duration
}

func (c lateContext) Done() <-chan struct{} {
	<-time.After(c.late)
	return c.Context.Done()
}

func TestPatienceIsForTheServerNotForTheProcess(t *testing.T) {
	const patience = 250 * time.Millisecond
	for _, test := range []struct {
		phrase  string
		late    time.Duration // the caller, to each of its turns
		answer  time.Duration // after which it comes
		want    error
		longest time.Duration
	}{
		{"an answer in time", 0, 200 * time.Millisecond, nil, 200 * time.Millisecond},
		{"a late answer", 0, time.Second, errNoAnswer, patience},
		{"an answer that is no later than a busy caller", 100 * time.Millisecond, 600 * time.Millisecond, nil, time.Second},
		{"no answer for a busy caller", 100 * time.Millisecond, time.Hour, errNoAnswer, 2 * time.Second},
	} {
		t.Run(test.phrase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done, began := make(chan struct{}), time.Now()
				timer := time.AfterFunc(test.answer, func() { close(done) })
				defer timer.Stop()
				err := await(lateContext{t.Context(), test.late}, done, patience)
				if took := time.Since(began); !errors.Is(err, test.want) || took > test.longest {
					t.Errorf("error %v after %v, want %v after at most %v", err, took, test.want, test.longest)
				}
			})
		})
	}
}
