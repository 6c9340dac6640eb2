package sqsqueue

import (
	"context"
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

// spareReceives is how many receives more than MaxReceives the redrive policy allows.
// When SQS moves a message by itself, the clients that wait for its object do not
// learn of it, so receivers have 5 more chances to bury the message themselves.
const spareReceives = 5

// Attributes returns what the queue of the jobs and that of the dead letters are created
// with. The dead letters come first: the redrive policy of the jobs names their ARN.
func (q *Queue) Attributes(deadARN string) (jobs, dead map[string]string) {
	o := q.options
	jobs = map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout):             inSeconds(o.Visibility),
		string(types.QueueAttributeNameReceiveMessageWaitTimeSeconds): inSeconds(o.WaitTime),
		string(types.QueueAttributeNameMessageRetentionPeriod):        inSeconds(jobRetention),
		// A string among strings: some servers take no number.
		string(types.QueueAttributeNameRedrivePolicy): fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"%d"}`,
			deadARN, min(o.MaxReceives+spareReceives, maxRedrive)),
		string(types.QueueAttributeNameSqsManagedSseEnabled): "true",
	}
	dead = map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod): inSeconds(deadRetention),
		string(types.QueueAttributeNameSqsManagedSseEnabled):   "true",
	}
	return jobs, dead
}

// newDead returns the attributes of a new dead-letter queue.
func (q *Queue) newDead(context.Context) (map[string]string, error) {
	_, dead := q.Attributes("")
	return dead, nil
}

// newJobs returns the attributes of a new queue of jobs, whose dead-letter queue
// has to exist before.
func (q *Queue) newJobs(ctx context.Context) (map[string]string, error) {
	dead, err := q.dead.read(ctx, types.QueueAttributeNameQueueArn)
	if err != nil {
		return nil, fmt.Errorf("the dead letters: %w", err)
	}
	jobs, _ := q.Attributes(dead[string(types.QueueAttributeNameQueueArn)])
	return jobs, nil
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
