package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"cloudmirror/queue"
)

// Receive implements queue.Queue by long polling. It returns at most 10
// messages, which is SQS's limit, and none after the wait time.
func (q *Queue) Receive(ctx context.Context, limit int) ([]queue.Delivery, error) {
	polling, cancel := WithTimeout(ctx, q.options.WaitTime+RequestTimeout)
	defer cancel()
	began := q.options.Now()
	messages, err := q.poll(polling, limit)
	if err != nil {
		return nil, fmt.Errorf("sqsqueue: receive from %s: %w", q.jobs.name, q.at(Cause(polling, err)))
	}
	deliveries := make([]queue.Delivery, 0, len(messages))
	for _, m := range messages {
		deliveries = append(deliveries, q.delivery(m, began))
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

// delivery reads a message.
func (q *Queue) delivery(m types.Message, receivedAt time.Time) queue.Delivery {
	d := queue.Delivery{Receives: 1, Receipt: receiptOf(m.ReceiptHandle, receivedAt), Body: aws.ToString(m.Body)}
	count := m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)]
	if n, err := strconv.Atoi(count); err == nil {
		d.Receives = n
	}
	return queue.Examine(d, q.options.MaxReceives)
}
