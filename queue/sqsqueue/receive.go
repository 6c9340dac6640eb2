package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/zap"

	"cloudmirror/queue"
)

// Receive implements queue.Queue by long polling. It returns at most 10
// messages, which is SQS's limit, and none after the wait time. If a message
// that has to be buried cannot be, that is logged, and the message comes again
// when its visibility lapses.
func (q *Queue) Receive(ctx context.Context, limit int) ([]queue.Delivery, error) {
	polling, cancel := bounded(ctx, q.options.WaitTime+requestTimeout)
	defer cancel()
	began := q.options.Now()
	messages, err := q.poll(polling, limit)
	if err != nil {
		return nil, fmt.Errorf("sqsqueue: receive from %s: %w", q.jobs.name, cause(polling, err))
	}
	deliveries := make([]queue.Delivery, 0, len(messages))
	for _, m := range messages {
		d, err := q.delivery(m, began)
		if err == nil {
			deliveries = append(deliveries, d)
			continue
		}
		q.buryReceived(ctx, d, err.Error())
	}
	return deliveries, nil
}

func (q *Queue) poll(ctx context.Context, limit int) (messages []types.Message, err error) {
	err = q.jobs.do(ctx, func(url string) error {
		out, err := q.options.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:                    &url,
			MaxNumberOfMessages:         int32(min(max(limit, 1), maxBatch)),
			VisibilityTimeout:           wholeSeconds(q.options.Visibility), // whatever an existing queue is set to
			WaitTimeSeconds:             wholeSeconds(q.options.WaitTime),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err == nil {
			messages = out.Messages
		}
		return err
	})
	return messages, err
}

// delivery reads a message. An error is the reason to bury the delivery, which
// then has no job.
func (q *Queue) delivery(m types.Message, receivedAt time.Time) (queue.Delivery, error) {
	d := queue.Delivery{Receives: 1, Receipt: receiptOf(m.ReceiptHandle, receivedAt), Body: aws.ToString(m.Body)}
	count := m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]
	if n, err := strconv.Atoi(count); err == nil {
		d.Receives = n
	}
	if d.Receives > q.options.MaxReceives {
		return d, fmt.Errorf("received %d times, and neither acknowledged nor buried", d.Receives-1)
	}
	job, err := queue.DecodeJob([]byte(d.Body))
	d.Job = job
	return d, err
}

func (q *Queue) buryReceived(ctx context.Context, d queue.Delivery, reason string) {
	log := q.options.Logger.With(zap.String("queue", q.jobs.name), zap.String("reason", reasonText(reason)))
	if err := q.Bury(ctx, d, reason); err != nil {
		log.Error("cannot bury a message, it will be received again", zap.Error(err))
		return
	}
	log.Warn("buried a message")
}
