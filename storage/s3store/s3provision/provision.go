package s3provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror"
	"cloudmirror/provision"
)

// A Space is what one backend keeps in a bucket.
type Space struct {
	Prefix string // of its keys, as in s3store.Options
	// Keep is how long an object must not be removed after its upload began; the
	// bucket's rule rounds it up to days.
	Keep time.Duration
	// Public says that any client may read copies.
	Public bool
	// CORS says that scripts of pages may read what their browser may.
	CORS bool
}

// BucketOptions say what a bucket is to be like.
type BucketOptions struct {
	Client *s3.Client
	Bucket string
	Name   string // as people know it, unlike other buckets of the name; "": Bucket
	// Owner is the id of the deployment, in letters and digits. It is a part of
	// the names of rules and statements, by which the deployment knows them.
	Owner string
	// Adopt takes over what is marked as another deployment's.
	Adopt  bool
	Spaces []Space
}

// Provision returns a bucket, who may read it, what is removed from it when, and
// whether scripts of pages may read it.
// Rules and statements of others stay as they are; where another deployment's
// are about our keys, the error of the plan is provision.ErrForeign; where the
// credentials do not allow to look at them, provision.ErrDenied. A server that
// cannot be told is provision.Manual.
func Provision(o BucketOptions) []provision.Resource {
	o.Name = cmp.Or(o.Name, o.Bucket)
	b := &bucket{BucketOptions: o}
	return []provision.Resource{
		{Kind: provision.Bucket, Name: o.Name, Plan: b.bounded(b.planBucket)},
		{Kind: provision.Access, Name: o.Name, Plan: b.bounded(lookOnly(b.planAccess))},
		{Kind: provision.Lifecycle, Name: o.Name, Plan: b.bounded(lookOnly(b.planLifecycle))},
		{Kind: provision.CORS, Name: o.Name, Plan: b.bounded(lookOnly(b.planCORS))},
	}
}

// lookOnly marks refusals of a plan that asks for what neither role needs.
func lookOnly(plan func(context.Context) (provision.Step, error)) func(context.Context) (provision.Step, error) {
	return func(ctx context.Context) (provision.Step, error) {
		step, err := plan(ctx)
		if isCode(err, "AccessDenied") {
			err = fmt.Errorf("%w: %w", provision.ErrDenied, err)
		}
		return step, err
	}
}

// Time limits of a look at one resource, and of its change. A caller that looks at
// several wants to hear of the others, too.
const (
	lookTimeout   = 10 * time.Second
	changeTimeout = 30 * time.Second
)

type bucket struct{ BucketOptions }

// bounded gives a plan, and what it applies, a time limit and errors that say
// where they come from.
func (b *bucket) bounded(plan func(context.Context) (provision.Step, error)) func(context.Context) (provision.Step, error) {
	return func(ctx context.Context) (provision.Step, error) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		step, err := plan(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = cloudmirror.At(aws.ToString(b.Client.Options().BaseEndpoint), fmt.Errorf("no answer within %v", lookTimeout))
		}
		if err != nil {
			return provision.Step{}, fmt.Errorf("s3store: look at bucket %s: %w", b.Name, err)
		}
		if apply := step.Apply; apply != nil {
			step.Apply = func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, changeTimeout)
				defer cancel()
				if err := apply(ctx); err != nil {
					return fmt.Errorf("s3store: provision bucket %s: %w", b.Name, err)
				}
				return nil
			}
		}
		return step, nil
	}
}

func (b *bucket) planBucket(ctx context.Context) (provision.Step, error) {
	_, err := b.Client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.Bucket})
	switch {
	case err == nil:
		return provision.Step{Action: provision.OK}, nil
	case isStatus(err, http.StatusNotFound):
		region := b.Client.Options().Region
		return provision.Step{Action: provision.Create, Details: []string{"region: " + region}, Apply: func(ctx context.Context) error {
			return b.create(ctx, region)
		}}, nil
	case isStatus(err, http.StatusForbidden):
		return provision.Step{}, fmt.Errorf("it is somebody else's, or s3:ListBucket is missing: %w", err)
	case isStatus(err, http.StatusBadRequest): // the answer to a HEAD has no word on what is wrong
		return provision.Step{}, fmt.Errorf("storage.region (%s) may be wrong, or the bucket's name: %w", b.Client.Options().Region, err)
	case isStatus(err, http.StatusMovedPermanently):
		return provision.Step{}, fmt.Errorf("it is in another region than %s: %w", b.Client.Options().Region, err)
	}
	return provision.Step{}, err
}

func (b *bucket) create(ctx context.Context, region string) error {
	input := &s3.CreateBucketInput{Bucket: &b.Bucket}
	// S3 refuses the name of its first region; "auto" is R2's for any.
	if region != "us-east-1" && region != "auto" {
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := b.Client.CreateBucket(ctx, input)
	if isCode(err, "BucketAlreadyOwnedByYou") { // another run was faster
		return nil
	}
	return err
}

// unsupported is the step for what a server does not know: the detail says what
// to do by hand.
func unsupported(detail string) provision.Step {
	return provision.Step{Action: provision.Manual, Details: []string{detail}}
}

// onAWS reports whether a client speaks to S3 itself, whose answers are complete.
func onAWS(c *s3.Client) bool { return aws.ToString(c.Options().BaseEndpoint) == "" }
