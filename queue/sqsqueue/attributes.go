package sqsqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// How long queues keep messages. Jobs outlast a long weekend without copiers.
// Dead letters are kept as long as SQS can: the time of a message that a redrive
// policy moves runs on from its first sending.
const (
	jobRetention  = 4 * 24 * time.Hour
	deadRetention = 14 * 24 * time.Hour
)

// spareReceives is how many receives more than ours the redrive policy allows. A
// message that SQS moves by itself is seen by nobody who could tell those who
// wait for its object, so receivers get some chances to bury it before.
const spareReceives = 5

// deadAttributes returns what a dead-letter queue is created with.
func (q *Queue) deadAttributes(context.Context) (map[string]string, error) {
	return map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod): inSeconds(deadRetention),
		string(types.QueueAttributeNameSqsManagedSseEnabled):   "true",
	}, nil
}

// jobAttributes returns what the queue of the jobs is created with. The
// dead-letter queue of its redrive policy has to exist before.
func (q *Queue) jobAttributes(ctx context.Context) (map[string]string, error) {
	dead, err := q.dead.read(ctx, types.QueueAttributeNameQueueArn)
	if err != nil {
		return nil, fmt.Errorf("the dead letters: %w", err)
	}
	redrive, err := json.Marshal(map[string]string{
		"deadLetterTargetArn": dead[string(types.QueueAttributeNameQueueArn)],
		"maxReceiveCount":     strconv.Itoa(min(q.options.MaxReceives+spareReceives, maxRedrive)),
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout):             inSeconds(q.options.Visibility),
		string(types.QueueAttributeNameReceiveMessageWaitTimeSeconds): inSeconds(q.options.WaitTime),
		string(types.QueueAttributeNameMessageRetentionPeriod):        inSeconds(jobRetention),
		string(types.QueueAttributeNameRedrivePolicy):                 string(redrive),
		string(types.QueueAttributeNameSqsManagedSseEnabled):          "true",
	}, nil
}

// count returns the approximate numbers of messages in a queue.
func (a *address) count(ctx context.Context) (ready, delayed, inFlight int, err error) {
	counts, err := a.read(ctx, types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
	if err != nil {
		return 0, 0, 0, err
	}
	for name, n := range map[types.QueueAttributeName]*int{
		types.QueueAttributeNameApproximateNumberOfMessages:           &ready,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &delayed,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &inFlight,
	} {
		if *n, err = strconv.Atoi(counts[string(name)]); err != nil {
			return 0, 0, 0, fmt.Errorf("the attribute %s: %w", name, err)
		}
	}
	return ready, delayed, inFlight, nil
}

func inSeconds(d time.Duration) string { return strconv.Itoa(int(wholeSeconds(d))) }
