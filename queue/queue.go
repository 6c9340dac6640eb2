package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Queue holds the jobs of one backend. It is the contract that each driver
// fulfils and that queuetest checks, sentence by sentence. It is safe for
// concurrent use.
type Queue interface {
	// Send puts a job into the queue, to be received after delay, which is at
	// most MaxDelay. When it returns nil the job is durable, as far as the
	// driver's queue is. ErrFull says that a bounded queue has no room.
	Send(ctx context.Context, job Job, delay time.Duration) error

	// Receive waits until there is a message and returns up to limit of them,
	// or none after a while, or when ctx ends (then with ctx's error). A message
	// that was received is hidden from other receivers for the queue's
	// visibility time. One that must not be worked on, because it is no valid
	// job or was received more often than the queue's limit, is returned as
	// Unfit; it comes again, as any other, until it is buried or acknowledged.
	Receive(ctx context.Context, limit int) ([]Delivery, error)

	// Ack removes a message for good. A message that is gone already is no
	// error.
	Ack(ctx context.Context, d Delivery) error

	// Extend hides a received message for another while, counted from now. With
	// 0 it is given back to be received at once, which counts as a receive. The
	// error is ErrGone if the delivery's message is gone or was received again.
	Extend(ctx context.Context, d Delivery, visibility time.Duration) error

	// Bury moves a message to the dead letters, with a reason for people. The
	// message is not lost, even if the process dies halfway; it may then be both
	// buried and received again.
	Bury(ctx context.Context, d Delivery, reason string) error
}

// A Delivery is one receive of one message.
type Delivery struct {
	Job Job
	// Receives is how often the message was received, this time included.
	Receives int
	// Receipt is the driver's handle of this receive. Only the newest receive
	// of a message has a valid one.
	Receipt string
	// Unfit is why the message must not be worked on, but buried: it wraps
	// ErrMalformed (there is no Job then) or ErrExhausted. Nil: it is a job to
	// work on.
	Unfit error
	// Body is the message as it was received, with the fields that this version
	// does not know: Bury keeps it whole. If it is empty Bury encodes the Job.
	Body string
}

// Examine reads a message into its delivery, and decides whether it is Unfit: no
// job, or received more often than maxReceives.
func Examine(d Delivery, maxReceives int) Delivery {
	d.Job, d.Unfit = DecodeJob([]byte(d.Body))
	if d.Unfit == nil && d.Receives > maxReceives {
		d.Unfit = fmt.Errorf("%w: %d times, and neither acknowledged nor buried", ErrExhausted, d.Receives-1)
	}
	return d
}

// Counts tells how full a queue is. With SQS the numbers are approximate.
type Counts struct {
	Ready    int // can be received now
	Delayed  int // will be, after their delay
	InFlight int // received, not yet acknowledged
	Dead     int // dead letters
}

// A Counter is a queue that can tell how full it is. Every driver is one.
type Counter interface {
	Count(ctx context.Context) (Counts, error)
}

// MaxDelay is the greatest delay of a message (SQS: DelaySeconds).
const MaxDelay = 15 * time.Minute

// Errors of a Queue that callers tell apart.
var (
	// ErrFull says that a bounded queue has no room for another job.
	ErrFull = errors.New("queue: full")
	// ErrGone says that a message is no longer its receiver's: it was
	// acknowledged or buried, or its visibility lapsed and it was received again.
	ErrGone = errors.New("queue: the message is gone")
	// ErrMalformed says that a message is no job of this version.
	ErrMalformed = errors.New("queue: malformed message")
	// ErrExhausted says that a message was received more often than the queue's
	// limit: those who received it before died over it, or never told.
	ErrExhausted = errors.New("queue: received too often")
)
