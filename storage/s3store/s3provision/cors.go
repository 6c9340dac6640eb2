package s3provision

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/provision"
	"cloudmirror/storage"
)

// corsAge is for how many seconds a browser may remember what the rule allows.
const corsAge = 7200

// corsByHand is what to do where a server cannot be told.
const corsByHand = "this server has no CORS rules of buckets: by its own means, let it answer scripts of every origin (*; minio: cors_allow_origin, " +
	"which is * unless it was changed) and expose ETag and Content-Range"

// corsRule returns the deployment's rule. It lets every origin in: a browser that was redirected
// from another site names none (`Origin: null`). S3 allows no credentials where
// every origin is let in.
func (b *bucket) corsRule() types.CORSRule {
	return types.CORSRule{
		ID: aws.String(ruleMark + b.Owner), AllowedOrigins: []string{"*"}, AllowedMethods: storage.CORSMethods(),
		AllowedHeaders: storage.CORSRequestHeaders(), ExposeHeaders: storage.CORSExposedHeaders(), MaxAgeSeconds: aws.Int32(corsAge),
	}
}

// planCORS compares the bucket's CORS rules with the rule that this deployment needs:
// one if pages may read any space, and none otherwise. Rules are about whole buckets.
func (b *bucket) planCORS(ctx context.Context) (provision.Step, error) {
	wanted := slices.ContainsFunc(b.Spaces, func(s Space) bool { return s.CORS })
	out, err := b.Client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &b.Bucket})
	switch {
	case !wanted && (isUnsupported(err) || isCode(err, "AccessDenied")):
		return provision.Step{Action: provision.OK}, nil // credentials that may not look have made none
	case isUnsupported(err), wanted && isMinIO(err):
		return unsupported(corsByHand), nil
	case isCode(err, "NoSuchCORSConfiguration"), isCode(err, "NoSuchBucket"):
		out = &s3.GetBucketCorsOutput{}
	case err != nil:
		return provision.Step{}, fmt.Errorf("read its CORS rules: %w", err)
	}
	rules, detail := b.mergeCORS(out.CORSRules, wanted)
	if detail == "" {
		return provision.Step{Action: provision.OK}, nil
	}
	action := provision.Change
	if len(out.CORSRules) == 0 {
		action = provision.Create
	}
	return provision.Step{Action: action, Details: []string{detail}, Apply: func(ctx context.Context) error {
		return b.putCORS(ctx, rules)
	}}, nil
}

// mergeCORS returns the rules with the deployment's, or without it, and says what is
// different then; "": nothing. Where it is new it comes last: the first rule that
// fits a request is used, and those of others may be about pages of theirs.
func (b *bucket) mergeCORS(is []types.CORSRule, wanted bool) (rules []types.CORSRule, detail string) {
	ours := b.corsRule()
	rules = slices.Clone(is)
	at := slices.IndexFunc(rules, func(r types.CORSRule) bool { return aws.ToString(r.ID) == *ours.ID })
	const what = "rule %s: scripts of every origin may GET and HEAD, without credentials, and read ETag and Content-Range"
	switch {
	case !wanted && at < 0, wanted && at >= 0 && sameCORS(rules[at], ours):
		return rules, ""
	case !wanted:
		return slices.Delete(rules, at, at+1), fmt.Sprintf("rule %s: removed, since no service has cors", *ours.ID)
	case at < 0:
		return append(rules, ours), fmt.Sprintf(what, *ours.ID)
	}
	rules[at] = ours
	return rules, fmt.Sprintf(what, *ours.ID)
}

func (b *bucket) putCORS(ctx context.Context, rules []types.CORSRule) error {
	if len(rules) == 0 {
		_, err := b.Client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &b.Bucket})
		return err
	}
	_, err := b.Client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &b.Bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
	if isUnsupported(err) {
		return fmt.Errorf("%s: %w", corsByHand, err)
	}
	return err
}

// sameCORS compares what two rules allow: servers order lists as they like, and
// names of headers have no case.
func sameCORS(a, b types.CORSRule) bool {
	plain := func(r types.CORSRule) []any {
		sorted := func(texts []string) []string {
			texts = slices.Clone(texts)
			for i, text := range texts {
				texts[i] = strings.ToLower(text)
			}
			slices.Sort(texts)
			return texts
		}
		return []any{sorted(r.AllowedOrigins), sorted(r.AllowedMethods), sorted(r.AllowedHeaders), sorted(r.ExposeHeaders), aws.ToInt32(r.MaxAgeSeconds)}
	}
	return reflect.DeepEqual(plain(a), plain(b))
}
