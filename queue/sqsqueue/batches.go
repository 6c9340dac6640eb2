package sqsqueue

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// outgoing is a message to be sent.
type outgoing struct {
	body  string
	delay int32 // seconds
}

// sendBatch sends messages. Entries are named by their index.
func (q *Queue) sendBatch(ctx context.Context, messages []outgoing, errs []error) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(m.body), DelaySeconds: m.delay,
		}
	}
	return q.jobs.do(ctx, func(url string) error {
		out, err := q.options.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err != nil {
			return err
		}
		setFailed(errs, out.Failed)
		return nil
	})
}

// deleteJobs deletes messages of the queue of the jobs.
func (q *Queue) deleteJobs(ctx context.Context, handles []string, errs []error) error {
	return deleteBatch(ctx, q.jobs, handles, errs)
}

// deleteBatch deletes messages of a queue by their receipt handles.
func deleteBatch(ctx context.Context, from *address, handles []string, errs []error) error {
	entries := make([]types.DeleteMessageBatchRequestEntry, len(handles))
	for i, handle := range handles {
		entries[i] = types.DeleteMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(handle),
		}
	}
	return from.do(ctx, func(url string) error {
		out, err := from.options.Client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries})
		if err != nil {
			return err
		}
		setFailed(errs, out.Failed)
		return nil
	})
}

// setFailed gives each failed entry its own error, of the kind that requests
// fail with, too.
func setFailed(errs []error, failed []types.BatchResultErrorEntry) {
	for _, f := range failed {
		i, err := strconv.Atoi(aws.ToString(f.Id))
		if err != nil || i < 0 || i >= len(errs) {
			continue
		}
		fault := smithy.FaultServer
		if f.SenderFault {
			fault = smithy.FaultClient
		}
		errs[i] = &smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message), Fault: fault}
	}
}
