package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"cloudmirror"
	"cloudmirror/queue"
)

// Errors that callers tell apart, beside those of package queue and, in the same
// chain, those of the SDK.
var (
	// ErrVisibilityLimit says that a message would be hidden for more than the
	// 12 hours that SQS allows, counted from its receive.
	ErrVisibilityLimit = errors.New("a message cannot be hidden for more than 12h after its receive")
	// ErrClosed says that the Queue was closed.
	ErrClosed = errors.New("the queue is closed")

	errNoAnswer = errors.New("no answer in time")
)

// A Queue holds the jobs of one backend in SQS. Make one with New; it is safe
// for concurrent use.
type Queue struct {
	options Options
	jobs    *address
	dead    *address
	sends   *batcher[outgoing]
	acks    *batcher[string] // receipt handles
}

var (
	_ queue.Queue   = (*Queue)(nil)
	_ queue.Counter = (*Queue)(nil)
)

// New returns a queue without asking SQS for anything. The error is one of the
// options.
func New(o Options) (*Queue, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	q := &Queue{options: o}
	jobs, dead := o.Names()
	q.dead = newAddress(o, dead, q.newDead)
	q.jobs = newAddress(o, jobs, q.newJobs)
	q.sends = newBatcher(q.sendBatch, func(m outgoing) int { return len(m.body) }, sendGatherTime)
	q.acks = newBatcher(q.deleteJobs, func(string) int { return 0 }, ackGatherTime)
	return q, nil
}

// Close ends the requests that no caller waits for any more. The callers of all
// other methods must have returned.
func (q *Queue) Close() error {
	q.sends.close()
	q.acks.close()
	return nil
}

// Send implements queue.Queue. A delay is rounded up to whole seconds.
func (q *Queue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	if delay > queue.MaxDelay {
		return fmt.Errorf("sqsqueue: send to %s: a delay of %v is more than %v", q.jobs.name, delay, queue.MaxDelay)
	}
	err := q.sends.do(ctx, outgoing{body: string(job.Encode()), delay: wholeSeconds(max(delay, 0))})
	if err != nil {
		return fmt.Errorf("sqsqueue: send to %s: %w", q.jobs.name, q.at(err))
	}
	return nil
}

// Ack implements queue.Queue.
func (q *Queue) Ack(ctx context.Context, d queue.Delivery) error {
	handle, _, err := parseReceipt(d.Receipt)
	if err == nil {
		err = q.acks.do(ctx, handle)
	}
	if err != nil && !isGone(err) {
		return fmt.Errorf("sqsqueue: acknowledge in %s: %w", q.jobs.name, q.at(err))
	}
	return nil
}

// Extend implements queue.Queue. A visibility is rounded up to whole seconds. An
// error may also be ErrVisibilityLimit.
func (q *Queue) Extend(ctx context.Context, d queue.Delivery, visibility time.Duration) error {
	ctx, cancel := WithTimeout(ctx, RequestTimeout)
	defer cancel()
	err := q.extend(ctx, d.Receipt, max(visibility, 0))
	if isGone(err) {
		err = fmt.Errorf("%w: %w", queue.ErrGone, err)
	}
	if err != nil {
		return fmt.Errorf("sqsqueue: extend in %s: %w", q.jobs.name, q.at(Cause(ctx, err)))
	}
	return nil
}

func (q *Queue) extend(ctx context.Context, receipt string, visibility time.Duration) error {
	handle, receivedAt, err := parseReceipt(receipt)
	if err != nil {
		return err
	}
	if q.options.Now().Add(visibility).Sub(receivedAt) > maxVisibility {
		return fmt.Errorf("%w: it was received at %v, and %v more were asked for",
			ErrVisibilityLimit, receivedAt.UTC().Format(time.RFC3339), visibility)
	}
	return q.jobs.do(ctx, func(url string) error {
		_, err := q.options.Client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &url, ReceiptHandle: &handle, VisibilityTimeout: wholeSeconds(visibility),
		})
		return err
	})
}

// isGone reports whether SQS refused a receipt handle. InvalidParameterValue is
// its answer for a message that was deleted; our other parameters are valid.
func isGone(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	if _, ok := errors.AsType[*types.MessageNotInflight](err); ok {
		return true
	}
	code := api.ErrorCode()
	return code == "ReceiptHandleIsInvalid" || code == "InvalidParameterValue"
}

// Count implements queue.Counter.
func (q *Queue) Count(ctx context.Context) (queue.Counts, error) {
	ctx, cancel := WithTimeout(ctx, RequestTimeout)
	defer cancel()
	ready, delayed, inFlight, err := q.jobs.count(ctx)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("sqsqueue: count %s: %w", q.jobs.name, q.at(Cause(ctx, err)))
	}
	dead, deadDelayed, deadInFlight, err := q.dead.count(ctx)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("sqsqueue: count %s: %w", q.dead.name, q.at(Cause(ctx, err)))
	}
	return queue.Counts{Ready: ready, Delayed: delayed, InFlight: inFlight, Dead: dead + deadDelayed + deadInFlight}, nil
}

// WithTimeout returns ctx with a time limit, for a request. Cause says if that is over.
func WithTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errNoAnswer)
}

// Cause returns the error of a request that was made with a ctx of WithTimeout: that there
// was no answer in time, or that the caller's ctx ended, if that is why there is err. The
// SDK's error may hide it.
func Cause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return errNoAnswer
	default:
		return ctx.Err()
	}
}

// at adds the endpoint to an error; see cloudmirror.At.
func (q *Queue) at(err error) error {
	return cloudmirror.At(aws.ToString(q.options.Client.Options().BaseEndpoint), err)
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second)
}
