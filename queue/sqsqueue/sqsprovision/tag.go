package sqsprovision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"cloudmirror/provision"
)

// OwnerTag is the tag of a queue whose value is the id of the deployment that it
// belongs to. Only provisioning sets it.
const OwnerTag = "cloudmirror-deployment"

func (q *queue) describeTag() string { return fmt.Sprintf("tag %s: %s", OwnerTag, q.owner) }

// mustTag reports whether the queue has to be tagged. Servers without tags are
// left without.
func (q *queue) mustTag(ctx context.Context, url *string) (bool, error) {
	if q.owner == "" {
		return false, nil
	}
	out, err := q.client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
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
	if tag != "" && tag != q.owner && !q.adopt {
		return false, fmt.Errorf("%w: its tag %s is %s, and ours would be %s", provision.ErrForeign, OwnerTag, tag, q.owner)
	}
	return tag != q.owner, nil
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
