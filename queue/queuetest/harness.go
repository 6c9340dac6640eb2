package queuetest

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudmirror/queue"
)

// A Harness makes the queues of one driver for the suite.
type Harness struct {
	// New returns a new, empty queue. It registers what has to be closed with
	// t.Cleanup. A Receive on it should return soon when there is no message.
	New func(t *testing.T, o Options) Fixture

	// Around runs one test of the suite, such as in a bubble of
	// testing/synctest. Nil: the test is just called.
	Around func(t *testing.T, test func(t *testing.T))

	// Visibility is the visibility time of the queues, and the measure of the
	// delays. A driver on the real clock chooses the shortest possible, an even
	// number of seconds. 0: 2 min.
	Visibility time.Duration

	// Goroutines is how many work at once in the tests of concurrency. 0: 100.
	Goroutines int

	// RealTime says that Advance really waits: the tests then run side by side,
	// and one for which the machine was too slow is skipped.
	RealTime bool

	// Skip names tests that cannot hold with a server, each with the reason,
	// which is printed.
	Skip map[string]string
}

// Options of a queue that the suite asks for.
type Options struct {
	Visibility  time.Duration
	MaxReceives int
}

// A Fixture is a queue and the ways around it.
type Fixture struct {
	// Queue is the driver. It must be a queue.Counter and queue.DeadLetters, too.
	Queue queue.Queue

	// SendRaw puts a message of any content into the queue.
	SendRaw func(t *testing.T, body string)

	// DeadLetters returns all dead letters, and leaves them where they are, or
	// at least returns them again when it is called again.
	DeadLetters func(t *testing.T) []Dead

	// Advance lets time pass for the queue: on a clock of its own, or really.
	Advance func(d time.Duration)
}

// A Dead is one dead letter.
type Dead struct {
	Body   string
	Reason string
}

// Run checks every promise on queues of h.
func Run(t *testing.T, h Harness) {
	if h.Visibility == 0 {
		h.Visibility = 6 * patience
	}
	if h.Goroutines == 0 {
		h.Goroutines = 100
	}
	if h.Around == nil {
		h.Around = func(t *testing.T, test func(*testing.T)) { test(t) }
	}
	sideBySide := 1
	if h.RealTime {
		sideBySide = 6 // they mostly wait
	}
	var running errgroup.Group
	running.SetLimit(sideBySide)
	for _, test := range slices.Concat(sendingTests(), visibilityTests(), endingTests(), deadLetterTests(), letterTests(), concurrencyTests()) {
		running.Go(func() error {
			runOne(t, h, test)
			return nil
		})
	}
	_ = running.Wait() // failures are the tests' own
}

func runOne(t *testing.T, h Harness, test test) {
	t.Helper()
	t.Run(test.name, func(t *testing.T) {
		if reason, skipped := h.Skip[test.name]; skipped {
			t.Skip("not checked here: " + reason)
		}
		h.Around(t, func(t *testing.T) { test.run(newBench(t, h, test.maxReceives)) })
	})
}

// A test is one promise.
type test struct {
	name        string
	run         func(b *bench)
	maxReceives int // of the queue; 0: so many that it plays no part
}
