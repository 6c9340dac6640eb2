package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ServerTime returns the time on the server's clock, in whole seconds. It creates
// no queue.
func (q *Queue) ServerTime(ctx context.Context) (time.Time, error) {
	ctx, cancel := WithTimeout(ctx, RequestTimeout)
	defer cancel()
	out, err := q.options.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.jobs.name})
	if err == nil {
		if told, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
			return told, nil
		}
		return time.Time{}, errors.New("sqsqueue: the server does not tell the time")
	}
	// A refusal tells it as well, such as that there is no such queue.
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok && response.Response != nil {
		if told, parseErr := http.ParseTime(response.Response.Header.Get("Date")); parseErr == nil {
			return told, nil
		}
	}
	return time.Time{}, fmt.Errorf("sqsqueue: ask for the time: %w", Cause(ctx, err))
}
