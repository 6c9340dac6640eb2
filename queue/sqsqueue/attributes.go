package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
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

// redriveAfter returns how many receives the redrive policy allows.
func (o Options) redriveAfter() int { return min(o.MaxReceives+spareReceives, maxRedrive) }

// deadAttributes returns what a dead-letter queue is created with.
func (Options) deadAttributes() map[string]string {
	return map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod): inSeconds(deadRetention),
		string(types.QueueAttributeNameSqsManagedSseEnabled):   "true",
	}
}

// jobAttributes returns what the queue of the jobs is created with, of which the
// dead letters have the given ARN.
func (o Options) jobAttributes(deadARN string) map[string]string {
	return map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout):             inSeconds(o.Visibility),
		string(types.QueueAttributeNameReceiveMessageWaitTimeSeconds): inSeconds(o.WaitTime),
		string(types.QueueAttributeNameMessageRetentionPeriod):        inSeconds(jobRetention),
		// A string among strings: some servers take no number.
		string(types.QueueAttributeNameRedrivePolicy):        fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`, deadARN, o.redriveAfter()),
		string(types.QueueAttributeNameSqsManagedSseEnabled): "true",
	}
}

// newDead returns the attributes of a new dead-letter queue.
func (q *Queue) newDead(context.Context) (map[string]string, error) {
	return q.options.deadAttributes(), nil
}

// newJobs returns the attributes of a new queue of jobs, whose dead-letter queue
// has to exist before.
func (q *Queue) newJobs(ctx context.Context) (map[string]string, error) {
	var arn string
	err := q.dead.do(ctx, func(url string) (err error) {
		arn, err = q.arn(ctx, url)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the dead letters: %w", err)
	}
	return q.options.jobAttributes(arn), nil
}

// arn returns by which name policies know a queue.
func (q *Queue) arn(ctx context.Context, url string) (string, error) {
	out, err := q.options.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", err
	}
	return out.Attributes[string(types.QueueAttributeNameQueueArn)], nil
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
