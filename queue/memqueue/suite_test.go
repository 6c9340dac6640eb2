package memqueue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQueue(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{New: newFixture, Around: synctest.Test})
}

func newFixture(_ *testing.T, o queuetest.Options) queuetest.Fixture {
	q := memqueue.New(memqueue.Options{
		Visibility: o.Visibility, MaxReceives: o.MaxReceives, WaitTime: 10 * time.Millisecond,
	})
	return queuetest.Fixture{
		Queue: q,
		SendRaw: func(t *testing.T, body string) {
			t.Helper()
			if err := q.SendRaw(body); err != nil {
				t.Fatal(err)
			}
		},
		DeadLetters: func(t *testing.T) []queuetest.Dead {
			t.Helper()
			letters, err := q.Letters(t.Context(), queue.Choice{All: true})
			if err != nil {
				t.Fatal(err)
			}
			var dead []queuetest.Dead
			for _, l := range letters {
				dead = append(dead, queuetest.Dead{Body: l.Body, Reason: l.Reason})
			}
			return dead
		},
		Advance: time.Sleep,
	}
}
