package s3provision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/provision"
)

// ruleMark begins the ID of every rule that provisioning makes; the deployment
// and the prefix follow, with colons between.
const ruleMark = "cloudmirror:"

// abortDays is after how many days the parts of an upload go that was never
// ended. No copy takes so long.
const abortDays = 1

// versionDays is after how many days old versions go, where a bucket keeps them.
const versionDays = 1

// maxRuleID is S3's limit of a rule's ID.
const maxRuleID = 255

// Days returns after how many days a rule may remove what must be kept for a
// time: S3 counts whole days.
func Days(keep time.Duration) int32 {
	const day = 24 * time.Hour
	return max(1, int32((keep+day-1)/day)) //nolint:gosec // a configuration's ttl is 10 years at most
}

// planLifecycle compares the bucket's rules with those that the deployment needs, one
// for each space.
func (b *bucket) planLifecycle(ctx context.Context) (provision.Step, error) {
	is, err := b.Client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &b.Bucket})
	switch {
	case isUnsupported(err):
		var rules []string
		for _, s := range b.Spaces {
			rules = append(rules, fmt.Sprintf("keys that begin with %q: %d", s.Prefix, Days(s.Keep)))
		}
		return unsupported("this server has no lifecycle rules: remove objects by other means, after days: " + strings.Join(rules, "; ")), nil
	case isCode(err, "NoSuchLifecycleConfiguration"), isCode(err, "NoSuchBucket"):
		is = &s3.GetBucketLifecycleConfigurationOutput{}
	case err != nil:
		return provision.Step{}, err
	}
	versioned, err := b.isVersioned(ctx)
	if err != nil {
		return provision.Step{}, err
	}
	rules, details, err := b.mergeRules(is.Rules, versioned)
	if err != nil {
		return provision.Step{}, err
	}
	hasty := b.hasty(rules)
	if len(details) == 0 {
		if len(hasty) > 0 {
			return provision.Step{Action: provision.Manual, Details: hasty}, nil
		}
		return provision.Step{Action: provision.OK}, nil
	}
	action := provision.Change
	if len(is.Rules) == 0 {
		action = provision.Create
	}
	return provision.Step{Action: action, Details: append(details, hasty...), Apply: func(ctx context.Context) error {
		_, err := b.Client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket: &b.Bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
			TransitionDefaultMinimumObjectSize: is.TransitionDefaultMinimumObjectSize,
		})
		return err
	}}, nil
}

// isVersioned reports whether the bucket keeps, or kept, what is removed.
func (b *bucket) isVersioned(ctx context.Context) (bool, error) {
	out, err := b.Client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &b.Bucket})
	switch {
	case isUnsupported(err), isCode(err, "NoSuchBucket"):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask whether it has versions: %w", err)
	}
	return out.Status != "", nil
}

// mergeRules returns the rules with the deployment's among them, and says what is
// different then. A rule that was there keeps its place.
func (b *bucket) mergeRules(is []types.LifecycleRule, versioned bool) (rules []types.LifecycleRule, details []string, err error) {
	rules = slices.Clone(is)
	for _, space := range b.Spaces {
		wanted := b.rule(space, versioned)
		isForeign := func(r types.LifecycleRule) bool { return b.isForeign(r, space) }
		for at := slices.IndexFunc(rules, isForeign); at >= 0; at = slices.IndexFunc(rules, isForeign) {
			if !b.Adopt {
				return nil, nil, fmt.Errorf("%w: it has the rule %s about keys that begin with %q", provision.ErrForeign, aws.ToString(rules[at].ID), space.Prefix)
			}
			details = append(details, fmt.Sprintf("rule %s: removed, since its keys are taken over", aws.ToString(rules[at].ID)))
			rules = slices.Delete(rules, at, at+1)
		}
		at := slices.IndexFunc(rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == aws.ToString(wanted.ID) })
		days := fmt.Sprintf("rule %s: remove after %d days, abort uploads after %d", aws.ToString(wanted.ID), *wanted.Expiration.Days, abortDays)
		if versioned {
			days += fmt.Sprintf(", remove old versions after %d", versionDays)
		}
		switch {
		case at < 0:
			details = append(details, days)
			rules = append(rules, wanted)
		case !b.equal(rules[at], wanted):
			details = append(details, days+", not "+describeRule(rules[at]))
			rules[at] = wanted
		}
	}
	return rules, details, nil
}

// rule returns the deployment's rule for a space. Where the bucket has versions, what is removed has to be
// removed once more, or it is paid for as long as the bucket is there.
func (b *bucket) rule(s Space, versioned bool) types.LifecycleRule {
	id := ruleMark + b.Owner + ":" + s.Prefix
	if len(id) > maxRuleID {
		id = ruleMark + b.Owner + ":" + shortHash(s.Prefix)
	}
	rule := types.LifecycleRule{
		ID: &id, Status: types.ExpirationStatusEnabled,
		Filter:                         &types.LifecycleRuleFilter{Prefix: aws.String(s.Prefix)},
		Expiration:                     &types.LifecycleExpiration{Days: aws.Int32(Days(s.Keep))},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(abortDays)},
	}
	if versioned {
		rule.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(versionDays)}
	}
	return rule
}

// isForeign reports whether a rule is another deployment's, about our keys.
func (b *bucket) isForeign(r types.LifecycleRule, s Space) bool {
	rest, marked := strings.CutPrefix(aws.ToString(r.ID), ruleMark)
	owner, _, found := strings.Cut(rest, ":")
	return marked && found && owner != b.Owner && overlap(prefixOf(r), s.Prefix)
}

// equal compares what provisioning sets. Other servers than S3 may keep nothing about
// incomplete uploads, as minio does, which removes them by itself.
func (b *bucket) equal(is, wanted types.LifecycleRule) bool {
	abort := is.AbortIncompleteMultipartUpload
	aborts := abort != nil && aws.ToInt32(abort.DaysAfterInitiation) == abortDays || abort == nil && !onAWS(b.Client)
	return is.Status == wanted.Status && prefixOf(is) == prefixOf(wanted) && aborts && oldVersionDays(is) == oldVersionDays(wanted) &&
		is.Expiration != nil && aws.ToInt32(is.Expiration.Days) == *wanted.Expiration.Days
}

// oldVersionDays returns after how many days a rule removes old versions; 0: never.
func oldVersionDays(r types.LifecycleRule) int32 {
	if r.NoncurrentVersionExpiration == nil {
		return 0
	}
	return aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays)
}

// hasty says which rules of others remove copies, or archive them, sooner than the
// deployment's rules do.
func (b *bucket) hasty(rules []types.LifecycleRule) (details []string) {
	for _, r := range rules {
		tagged := r.Filter != nil && (r.Filter.Tag != nil || r.Filter.And != nil && len(r.Filter.And.Tags) > 0) // copies have none
		if strings.HasPrefix(aws.ToString(r.ID), ruleMark) || r.Status != types.ExpirationStatusEnabled || tagged {
			continue
		}
		ends := make(map[string]*int32) // after how many days, by what happens then
		if r.Expiration != nil {
			ends["removes"] = r.Expiration.Days
		}
		for _, t := range r.Transitions {
			if t.StorageClass == types.TransitionStorageClassGlacier || t.StorageClass == types.TransitionStorageClassDeepArchive {
				ends["archives"] = t.Days
			}
		}
		for _, what := range slices.Sorted(maps.Keys(ends)) {
			for _, s := range b.Spaces {
				if days := ends[what]; days != nil && *days < Days(s.Keep) && overlap(prefixOf(r), s.Prefix) {
					details = append(details, fmt.Sprintf("rule %s, which is not ours, %s copies after %d days, and they are kept for %d: change it by hand",
						aws.ToString(r.ID), what, *days, Days(s.Keep)))
				}
			}
		}
	}
	return details
}

// prefixOf returns the keys that a rule is about.
func prefixOf(r types.LifecycleRule) string {
	switch {
	case r.Filter != nil && r.Filter.And != nil:
		return aws.ToString(r.Filter.And.Prefix)
	case r.Filter != nil && r.Filter.Prefix != nil:
		return *r.Filter.Prefix
	}
	return aws.ToString(r.Prefix) //nolint:staticcheck // deprecated, and still what old rules have
}

func describeRule(r types.LifecycleRule) string {
	days := "never"
	if r.Expiration != nil && r.Expiration.Days != nil {
		days = fmt.Sprintf("after %d days", *r.Expiration.Days)
	}
	abort := "never"
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		abort = fmt.Sprintf("after %d", aws.ToInt32(a.DaysAfterInitiation))
	}
	text := fmt.Sprintf("%s (%s) and %s, with the prefix %q", days, r.Status, abort, prefixOf(r))
	if old := oldVersionDays(r); old > 0 {
		text += fmt.Sprintf(", and old versions after %d", old)
	}
	return text
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
