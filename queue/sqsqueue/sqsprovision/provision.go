package sqsprovision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue"
)

// Provision returns the queues of a backend, with what they must be set to. The
// error is one of the options, of which Create counts for nothing. The queue of
// the jobs is tagged with the owner, unless that is "": one that has another is
// provision.ErrForeign, or taken over if adopt is set; one whose tags may not be
// seen is provision.ErrDenied, unless its attributes differ.
//
// Attributes are changed to what a new queue would get, but for a longer
// retention, larger messages and another encryption, which are left. Others are
// left alone.
func Provision(o sqsqueue.Options, owner string, adopt bool) ([]provision.Resource, error) {
	driver, err := sqsqueue.New(o)
	if err != nil {
		return nil, err
	}
	jobs, dead := o.Names()
	deadLetters := &queue{driver: driver, client: o.Client, name: dead}
	ofJobs := &queue{driver: driver, client: o.Client, name: jobs, deadLetters: deadLetters, owner: owner, adopt: adopt}
	return []provision.Resource{
		{Kind: provision.DeadLetters, Name: dead, Plan: deadLetters.plan},
		{Kind: provision.Queue, Name: jobs, Plan: ofJobs.plan},
	}, nil
}

// A queue is one of the two of a backend.
type queue struct {
	driver      *sqsqueue.Queue
	client      *sqs.Client
	name        string
	deadLetters *queue // where its dead letters go; nil: it is that queue
	owner       string // its tag; "": it gets none
	adopt       bool
}

// plan compares the queue with what it would be created with.
func (q *queue) plan(ctx context.Context) (provision.Step, error) {
	ctx, cancel := sqsqueue.WithTimeout(ctx, sqsqueue.RequestTimeout)
	defer cancel()
	url, err := q.url(ctx)
	if isMissing(err) {
		return provision.Step{Action: provision.Create, Details: q.describe(), Apply: q.create}, nil
	}
	if err != nil {
		return provision.Step{}, fmt.Errorf("sqsqueue: plan: %w", sqsqueue.Cause(ctx, err))
	}
	changes, details, err := q.compare(ctx, url)
	if err != nil {
		return provision.Step{}, fmt.Errorf("sqsqueue: plan %s: %w", q.name, sqsqueue.Cause(ctx, err))
	}
	mustTag, err := q.mustTag(ctx, url)
	if err != nil {
		err = fmt.Errorf("sqsqueue: plan %s: %w", q.name, sqsqueue.Cause(ctx, err))
		if errors.Is(err, provision.ErrDenied) && len(details) > 0 {
			// What differs is told. It is not changed before it is known whose it is.
			return provision.Step{Action: provision.Change, Details: details, Apply: func(context.Context) error { return err }}, nil
		}
		return provision.Step{}, err
	}
	if mustTag {
		details = append(details, q.describeTag())
	}
	if len(details) == 0 {
		return provision.Step{Action: provision.OK}, nil
	}
	return provision.Step{Action: provision.Change, Details: details, Apply: func(ctx context.Context) error {
		return q.change(ctx, url, changes, mustTag)
	}}, nil
}

// url returns the URL of the queue. The error of one that does not exist satisfies
// isMissing.
func (q *queue) url(ctx context.Context) (*string, error) {
	found, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.name})
	if err != nil {
		return nil, fmt.Errorf("look up the queue %s: %w", q.name, err)
	}
	return found.QueueUrl, nil
}

// arn returns the name by which redrive policies know the queue, or "" if it does not
// exist: then the step before this one is to make it, and no policy suits.
func (q *queue) arn(ctx context.Context) (string, error) {
	url, err := q.url(ctx)
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	attributes, err := q.read(ctx, url, types.QueueAttributeNameQueueArn)
	return attributes[string(types.QueueAttributeNameQueueArn)], err
}

func (q *queue) read(ctx context.Context, url *string, names ...types.QueueAttributeName) (map[string]string, error) {
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// create makes the queue and tags it. A queue that another process made meanwhile is
// taken as it is.
func (q *queue) create(ctx context.Context) error {
	ctx, cancel := sqsqueue.WithTimeout(ctx, 2*sqsqueue.RequestTimeout)
	defer cancel()
	url, err := q.make(ctx)
	if err != nil {
		return fmt.Errorf("sqsqueue: %w", sqsqueue.Cause(ctx, err))
	}
	return q.change(ctx, url, nil, q.owner != "")
}

func (q *queue) make(ctx context.Context) (url *string, err error) {
	if d := q.deadLetters; d != nil { // the step before this one may have failed
		if _, err := d.url(ctx); isMissing(err) {
			if _, err := d.make(ctx); err != nil {
				return nil, fmt.Errorf("the dead letters: %w", err)
			}
		}
	}
	attributes, err := q.wanted(ctx)
	if err != nil {
		return nil, fmt.Errorf("the dead letters: %w", err)
	}
	made, err := q.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: attributes})
	if _, exists := errors.AsType[*types.QueueNameExists](err); exists {
		return q.url(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("create the queue %s: %w", q.name, err)
	}
	return made.QueueUrl, nil
}

// change sets attributes, and the tag if mustTag is set.
func (q *queue) change(ctx context.Context, url *string, changes map[string]string, mustTag bool) error {
	ctx, cancel := sqsqueue.WithTimeout(ctx, sqsqueue.RequestTimeout)
	defer cancel()
	if len(changes) > 0 {
		_, err := q.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: changes})
		if err != nil {
			return fmt.Errorf("sqsqueue: set attributes of %s: %w", *url, sqsqueue.Cause(ctx, err))
		}
	}
	if mustTag {
		_, err := q.client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{OwnerTag: q.owner}})
		if err != nil && !lacksTags(err) {
			return fmt.Errorf("sqsqueue: tag %s: %w", *url, sqsqueue.Cause(ctx, err))
		}
	}
	return nil
}

func isMissing(err error) bool {
	_, missing := errors.AsType[*types.QueueDoesNotExist](err)
	return missing
}
