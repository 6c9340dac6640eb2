package sqsqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror/queue"
)

// SQS names a letter by its message id, but takes a handle of the newest receive
// to do anything with it. So each method receives the letters that it looks for,
// and gives back those that it does not remove.
const (
	reviewTime     = 20 * time.Second // for one call, at most
	reviewHidden   = 30 * time.Second // how long a letter is hidden that a dying process does not give back
	reviewWait     = time.Second      // for a message, in one request
	othersTime     = 5 * time.Second  // for others to give back what they look at
	othersPause    = 200 * time.Millisecond
	giveBackTime   = 10 * time.Second // for giving back, at most
	maxGivingBacks = 8                // requests at the same time
)

var _ queue.DeadLetters = (*Queue)(nil)

// Letters implements queue.DeadLetters. They come in no order.
func (q *Queue) Letters(ctx context.Context, c queue.Choice) ([]queue.DeadLetter, error) {
	handled, err := q.review(ctx, c, time.Time{}, func(context.Context, []*seenDeadLetter) {})
	letters := make([]queue.DeadLetter, 0, len(handled))
	for _, h := range handled {
		letters = append(letters, h.Letter)
	}
	return letters, err
}

// Redrive implements queue.DeadLetters.
func (q *Queue) Redrive(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	// What comes back at once is not sent for ever.
	handled, err := q.review(ctx, c, q.options.Now(), func(ctx context.Context, seen []*seenDeadLetter) {
		q.resend(ctx, seen)
		q.remove(ctx, seen)
	})
	if err != nil {
		return handled, err
	}
	return append(handled, c.Missing(handled)...), nil
}

// Drop implements queue.DeadLetters.
func (q *Queue) Drop(ctx context.Context, c queue.Choice) ([]queue.Handled, error) {
	handled, err := q.review(ctx, c, time.Time{}, q.remove)
	if err != nil {
		return handled, err
	}
	return append(handled, c.Missing(handled)...), nil
}

// A seenDeadLetter is a letter that this process received.
type seenDeadLetter struct {
	queue.DeadLetter
	handle string
	err    error // what went wrong with it
	gone   bool  // it was removed
}

// review receives dead letters until it has the chosen ones, there are no more,
// or its time is over; calls act with the chosen ones of each receive; and gives
// back what is left. Of all letters only those are chosen that were buried before
// a time, if it is not zero.
func (q *Queue) review(
	ctx context.Context, c queue.Choice, before time.Time, act func(context.Context, []*seenDeadLetter),
) (chosen []queue.Handled, err error) {
	wanted := make(map[string]bool, len(c.IDs))
	for _, id := range c.IDs {
		wanted[id] = true
	}
	reviewing, cancel := WithTimeout(ctx, reviewTime)
	defer cancel()
	held := make(map[string]*seenDeadLetter)
	defer func() { q.giveBack(ctx, held) }()
	for len(chosen) < c.Most() && (c.All || len(wanted) > 0) {
		seen, err := q.receiveMore(reviewing, held, c, c.Most()-len(chosen))
		if len(held) > 0 && reviewing.Err() != nil && ctx.Err() == nil {
			return chosen, nil // it got so far in its time
		}
		if err != nil || len(seen) == 0 {
			return chosen, err
		}
		seen = slices.DeleteFunc(seen, func(l *seenDeadLetter) bool {
			if c.All {
				return !before.IsZero() && l.BuriedAt.After(before)
			}
			return !wanted[l.ID]
		})
		act(reviewing, seen)
		for _, l := range seen {
			delete(wanted, l.ID)
			chosen = append(chosen, queue.Handled{Letter: l.DeadLetter, Err: l.err})
			if l.gone {
				delete(held, l.ID)
			}
		}
	}
	return chosen, nil
}

// receiveMore receives letters that are not yet held. It returns none when there are no
// more: none at all or, for a choice by ids, none that another caller looks
// at.
func (q *Queue) receiveMore(ctx context.Context, held map[string]*seenDeadLetter, c queue.Choice, left int) ([]*seenDeadLetter, error) {
	most := maxBatch
	if c.All {
		most = min(most, left) // what is not wanted need not be hidden
	}
	var empty time.Time // since when
	for {
		messages, err := q.receiveDead(ctx, most)
		if err != nil {
			return nil, fmt.Errorf("sqsqueue: receive from %s: %w", q.dead.name, q.at(Cause(ctx, err)))
		}
		var fresh []*seenDeadLetter
		for _, m := range messages {
			l := letterOf(m)
			if known, again := held[l.ID]; again { // SQS may deliver twice
				known.handle = l.handle
				continue
			}
			held[l.ID] = l
			fresh = append(fresh, l)
		}
		switch {
		case len(fresh) > 0:
			return fresh, nil
		case len(messages) > 0:
			continue
		case c.All:
			return nil, nil
		case empty.IsZero():
			empty = time.Now()
		}
		_, _, hidden, err := q.dead.count(ctx)
		if err != nil || hidden <= len(held) || time.Since(empty) > othersTime {
			return nil, err
		}
		pause(ctx, othersPause)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (q *Queue) receiveDead(ctx context.Context, most int) (messages []types.Message, err error) {
	err = q.dead.do(ctx, func(url string) error {
		out, err := q.options.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:              &url,
			MaxNumberOfMessages:   int32(min(most, maxBatch)), //nolint:gosec // at most maxBatch
			VisibilityTimeout:     wholeSeconds(reviewHidden),
			WaitTimeSeconds:       wholeSeconds(min(reviewWait, q.options.WaitTime)),
			MessageAttributeNames: []string{ReasonAttribute, ReceivesAttribute},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{
				types.MessageSystemAttributeNameSentTimestamp,
			},
		})
		if err == nil {
			messages = out.Messages
		}
		return err
	})
	return messages, err
}

func letterOf(m types.Message) *seenDeadLetter {
	l := &seenDeadLetter{DeadLetter: queue.NewDeadLetter(aws.ToString(m.MessageId), aws.ToString(m.Body)), handle: aws.ToString(m.ReceiptHandle)}
	l.Reason = aws.ToString(m.MessageAttributes[ReasonAttribute].StringValue)
	if n, err := strconv.Atoi(aws.ToString(m.MessageAttributes[ReceivesAttribute].StringValue)); err == nil {
		l.Receives = n
	}
	sent := m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)]
	if milliseconds, err := strconv.ParseInt(sent, 10, 64); err == nil {
		l.BuriedAt = time.UnixMilli(milliseconds)
	}
	return l
}

// resend sends the jobs of letters to the queue of the jobs, together.
func (q *Queue) resend(ctx context.Context, letters []*seenDeadLetter) {
	var sends errgroup.Group
	for _, l := range letters {
		sends.Go(func() error {
			body, err := l.Resend()
			if err == nil {
				err = q.sends.do(ctx, outgoing{body: body})
			}
			l.err = err
			return nil
		})
	}
	_ = sends.Wait() // the errors are the letters' own
}

// remove deletes those of the letters, at most a batch, with which nothing went
// wrong.
func (q *Queue) remove(ctx context.Context, letters []*seenDeadLetter) {
	letters = slices.DeleteFunc(slices.Clone(letters), func(l *seenDeadLetter) bool { return l.err != nil })
	if len(letters) == 0 {
		return
	}
	handles := make([]string, len(letters))
	for i, l := range letters {
		handles[i] = l.handle
	}
	errs := make([]error, len(letters))
	err := deleteBatch(ctx, q.dead, handles, errs)
	for i, l := range letters {
		if l.err = errs[i]; err != nil {
			l.err = Cause(ctx, err)
		}
		if l.gone = l.err == nil; !l.gone {
			l.err = fmt.Errorf("sqsqueue: remove from %s: %w", q.dead.name, q.at(l.err))
		}
	}
}

// giveBack lets others see letters at once. If that fails they do so when their
// time is over.
func (q *Queue) giveBack(ctx context.Context, held map[string]*seenDeadLetter) {
	ctx, cancel := WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, 0, len(held))
	for _, l := range held {
		entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(len(entries))), ReceiptHandle: aws.String(l.handle), VisibilityTimeout: 0,
		})
	}
	var requests errgroup.Group
	requests.SetLimit(maxGivingBacks)
	for batch := range slices.Chunk(entries, maxBatch) {
		requests.Go(func() error {
			return q.dead.do(ctx, func(url string) error {
				_, err := q.options.Client.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url, Entries: batch})
				return err
			})
		})
	}
	if err := requests.Wait(); err != nil {
		q.options.Logger.Warn("dead letters that were looked at stay hidden for a moment",
			zap.String("queue", q.dead.name), zap.Error(Cause(ctx, err)))
	}
}
