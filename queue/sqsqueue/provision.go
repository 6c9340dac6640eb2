package sqsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"cloudmirror/provision"
)

// OwnerTag is the tag of a queue whose value is the id of the deployment that it
// belongs to. Only provisioning sets it.
const OwnerTag = "cloudmirror-deployment"

// Provision returns the queues of a backend, with what they must be set to. The
// error is one of the options, of which Create counts for nothing. The queue of
// the jobs is tagged with the owner, unless that is "": one that has another is
// provision.ErrForeign, or taken over if adopt is set; one whose tags may not be
// seen is provision.ErrDenied, unless its attributes differ.
//
// Attributes are changed to what a new queue would get, but for a longer
// retention, larger messages and another encryption, which are left. Others are
// left alone.
func Provision(o Options, owner string, adopt bool) ([]provision.Resource, error) {
	o.Create = true // by the steps that are applied, not by those that look
	q, err := New(o)
	if err != nil {
		return nil, err
	}
	p := &provisioner{queue: q, owner: owner, adopt: adopt}
	return []provision.Resource{
		{Kind: provision.DeadLetters, Name: q.dead.name, Plan: func(ctx context.Context) (provision.Step, error) { return p.plan(ctx, q.dead, "") }},
		{Kind: provision.Queue, Name: q.jobs.name, Plan: func(ctx context.Context) (provision.Step, error) { return p.plan(ctx, q.jobs, owner) }},
	}, nil
}

// A provisioner plans the two queues of a backend.
type provisioner struct {
	queue *Queue
	owner string
	adopt bool
}

// plan compares one queue with what it would be created with. An owner is the
// tag that it must have.
func (p *provisioner) plan(ctx context.Context, a *address, owner string) (provision.Step, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	url, err := a.get(ctx)
	if isMissing(err) {
		return provision.Step{Action: provision.Create, Details: p.describe(a, owner), Apply: func(ctx context.Context) error {
			return p.create(ctx, a, owner)
		}}, nil
	}
	if err != nil {
		return provision.Step{}, fmt.Errorf("sqsqueue: plan: %w", cause(ctx, err))
	}
	changes, details, err := p.compare(ctx, a, *url)
	if err != nil {
		return provision.Step{}, fmt.Errorf("sqsqueue: plan %s: %w", a.name, cause(ctx, err))
	}
	mark := false
	if owner != "" {
		mark, err = p.needsMark(ctx, *url)
	}
	if err != nil {
		err = fmt.Errorf("sqsqueue: plan %s: %w", a.name, cause(ctx, err))
		if errors.Is(err, provision.ErrDenied) && len(details) > 0 {
			// What differs is told. It is not changed before it is known whose it is.
			return provision.Step{Action: provision.Change, Details: details, Apply: func(context.Context) error { return err }}, nil
		}
		return provision.Step{}, err
	}
	if mark {
		details = append(details, fmt.Sprintf("tag %s: %s", OwnerTag, owner))
	}
	if len(details) == 0 {
		return provision.Step{Action: provision.OK}, nil
	}
	return provision.Step{Action: provision.Change, Details: details, Apply: func(ctx context.Context) error {
		return p.change(ctx, *url, changes, mark)
	}}, nil
}

// describe says what a new queue will be set to.
func (p *provisioner) describe(a *address, owner string) []string {
	wanted := a.options.deadAttributes()
	if a == p.queue.jobs {
		wanted = a.options.jobAttributes("")
		wanted[redrivePolicy] = fmt.Sprintf("to %s after %d receives", p.queue.dead.name, a.options.redriveAfter())
	}
	var details []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		details = append(details, name+": "+wanted[name])
	}
	if owner != "" {
		details = append(details, fmt.Sprintf("tag %s: %s", OwnerTag, owner))
	}
	return details
}

func (p *provisioner) create(ctx context.Context, a *address, owner string) error {
	ctx, cancel := bounded(ctx, 2*requestTimeout)
	defer cancel()
	url, err := a.resolve(ctx)
	if err != nil {
		return fmt.Errorf("sqsqueue: %w", cause(ctx, err))
	}
	if owner == "" {
		return nil
	}
	return p.change(ctx, *url, nil, true)
}

// compare returns the attributes of a queue that have to be set, and says why.
func (p *provisioner) compare(ctx context.Context, a *address, url string) (changes map[string]string, details []string, err error) {
	all, err := p.queue.options.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return nil, nil, err
	}
	wanted := a.options.deadAttributes()
	if a == p.queue.jobs {
		dead, err := p.deadARN(ctx)
		if err != nil {
			return nil, nil, err
		}
		wanted = a.options.jobAttributes(dead)
	}
	// A new queue has these without being told.
	wanted[delaySeconds], wanted[maxMessage] = "0", strconv.Itoa(maxBatchBytes)
	changes = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		is, reported := all.Attributes[name]
		if suits(name, is, wanted[name], all.Attributes) {
			continue
		}
		changes[name] = wanted[name]
		if !reported {
			is = "not set"
		}
		details = append(details, fmt.Sprintf("%s: %s, not %s", name, wanted[name], is))
	}
	return changes, details, nil
}

// deadARN returns the name by which the redrive policy must know the dead
// letters, or "" if they do not exist: then the step before this one is to make
// them, and nothing suits.
func (p *provisioner) deadARN(ctx context.Context) (string, error) {
	url, err := p.queue.dead.get(ctx)
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return p.queue.arn(ctx, *url)
}

const (
	redrivePolicy = string(types.QueueAttributeNameRedrivePolicy)
	retention     = string(types.QueueAttributeNameMessageRetentionPeriod)
	delaySeconds  = string(types.QueueAttributeNameDelaySeconds)
	maxMessage    = string(types.QueueAttributeNameMaximumMessageSize)
	managedSSE    = string(types.QueueAttributeNameSqsManagedSseEnabled)
	kmsKey        = string(types.QueueAttributeNameKmsMasterKeyId)
)

// suits reports whether an attribute may stay as it is.
func suits(name, is, wanted string, all map[string]string) bool {
	switch name {
	case retention, maxMessage:
		if is == "" && name == maxMessage {
			return true // not told by every server
		}
		have, errHave := strconv.Atoi(is)
		want, errWant := strconv.Atoi(wanted)
		return errHave == nil && errWant == nil && have >= want
	case delaySeconds:
		return is == "" || is == wanted
	case managedSSE: // other servers may not know it; a key of one's own is better
		return is == "" || is == wanted || all[kmsKey] != ""
	case redrivePolicy:
		return parseRedrive(is) == parseRedrive(wanted) && parseRedrive(is) != redrive{}
	}
	return is == wanted
}

// redrive is a redrive policy. SQS answers with a number where it was told a
// string.
type redrive struct {
	Target      string      `json:"deadLetterTargetArn"`
	MaxReceives json.Number `json:"maxReceiveCount"`
}

// parseRedrive returns the zero value for what is no policy.
func parseRedrive(text string) (r redrive) {
	if json.Unmarshal([]byte(text), &r) != nil {
		return redrive{}
	}
	return r
}

// needsMark reports whether the queue has to be tagged. Servers without tags are
// left without.
func (p *provisioner) needsMark(ctx context.Context, url string) (bool, error) {
	out, err := p.queue.options.Client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &url})
	if lacksTags(err) {
		return false, nil
	}
	if isDenied(err) {
		return false, fmt.Errorf("%w: %w", provision.ErrDenied, err)
	}
	if err != nil {
		return false, err
	}
	tag := out.Tags[OwnerTag]
	if tag != "" && tag != p.owner && !p.adopt {
		return false, fmt.Errorf("%w: its tag %s is %s, and ours would be %s", provision.ErrForeign, OwnerTag, tag, p.owner)
	}
	return tag != p.owner, nil
}

// lacksTags reports whether a server does not know what tags are.
func lacksTags(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{
		"UnknownOperationException", "UnknownOperation", "InvalidAction", "UnsupportedOperation",
		"AWS.SimpleQueueService.UnsupportedOperation", "NotImplemented",
	}, api.ErrorCode())
}

// isDenied reports whether the credentials do not allow what was asked.
func isDenied(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, api.ErrorCode())
}

func (p *provisioner) change(ctx context.Context, url string, changes map[string]string, mark bool) error {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	client := p.queue.options.Client
	if len(changes) > 0 {
		_, err := client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: changes})
		if err != nil {
			return fmt.Errorf("sqsqueue: set attributes of %s: %w", url, cause(ctx, err))
		}
	}
	if mark {
		_, err := client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{OwnerTag: p.owner}})
		if err != nil && !lacksTags(err) {
			return fmt.Errorf("sqsqueue: tag %s: %w", url, cause(ctx, err))
		}
	}
	return nil
}
