package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/zap"
)

// An address is the URL of one queue, found out at the first use. URLs are the
// server's own names for its queues: requests go to the client's endpoint,
// whatever host a URL has.
type address struct {
	name       string
	options    Options
	attributes func(context.Context) (map[string]string, error) // to create it with

	turn chan struct{} // held by the one caller that finds the URL out
	url  atomic.Pointer[string]
}

func newAddress(o Options, name string, attributes func(context.Context) (map[string]string, error)) *address {
	return &address{name: name, options: o, attributes: attributes, turn: make(chan struct{}, 1)}
}

// do calls f with the URL. If the queue turns out to be gone, it is looked up or
// created again, and f called a second time.
func (a *address) do(ctx context.Context, f func(url string) error) error {
	for second := false; ; second = true {
		url, err := a.resolve(ctx)
		if err != nil {
			return err
		}
		err = f(*url)
		if second || !isMissing(err) {
			return err
		}
		a.url.CompareAndSwap(url, nil) // unless another caller has a new one already
	}
}

// resolve returns the URL. One caller at a time asks for it; each waits no
// longer than its own context.
func (a *address) resolve(ctx context.Context) (*string, error) {
	if url := a.url.Load(); url != nil {
		return url, nil
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if url := a.url.Load(); url != nil {
		return url, nil
	}
	url, err := a.find(ctx)
	if err == nil {
		a.url.Store(url)
	}
	return url, err
}

func (a *address) find(ctx context.Context) (*string, error) {
	url, err := a.get(ctx)
	if err == nil || !isMissing(err) {
		return url, err
	}
	if !a.options.Create {
		return nil, fmt.Errorf("the queue %s does not exist, and is not to be created: %w", a.name, err)
	}
	attributes, err := a.attributes(ctx)
	if err != nil {
		return nil, err
	}
	created, err := a.options.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &a.name, Attributes: attributes})
	if _, exists := errors.AsType[*types.QueueNameExists](err); exists {
		return a.get(ctx) // another process was faster, with other options
	}
	if err != nil {
		return nil, fmt.Errorf("create the queue %s: %w", a.name, err)
	}
	a.options.Logger.Info("created an SQS queue", zap.String("queue", a.name))
	return created.QueueUrl, nil
}

func (a *address) get(ctx context.Context) (*string, error) {
	found, err := a.options.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &a.name})
	if err != nil {
		return nil, fmt.Errorf("look up the queue %s: %w", a.name, err)
	}
	return found.QueueUrl, nil
}

// read returns attributes of the queue.
func (a *address) read(ctx context.Context, names ...types.QueueAttributeName) (attributes map[string]string, err error) {
	err = a.do(ctx, func(url string) error {
		out, err := a.options.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(url), AttributeNames: names,
		})
		if err == nil {
			attributes = out.Attributes
		}
		return err
	})
	return attributes, err
}

func isMissing(err error) bool {
	_, missing := errors.AsType[*types.QueueDoesNotExist](err)
	return missing
}
