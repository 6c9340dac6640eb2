package s3provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/provision"
)

// statementMark begins the Sid of every statement that provisioning makes; the
// deployment and a hash of the prefix follow.
const statementMark = "CloudmirrorReadCopies"

// hashDigits is how much of a prefix's hash a Sid has.
const hashDigits = 16

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:hashDigits]
}

// readCopies returns the statement of a bucket's policy by which any client
// may read copies below a prefix, and nothing of what is kept about them. It does not
// allow to list the bucket.
func readCopies(partition, bucket, prefix, owner string) provision.Statement {
	s := provision.Allow(statementMark+owner+shortHash(prefix), []string{"s3:GetObject"}, nil)
	s.Principal = "*"
	for _, digit := range "0123456789abcdef" {
		s.Resource = append(s.Resource, keysARN(partition, bucket, prefix+string(digit))+"*")
	}
	return s
}

// keysARN names keys, or the beginning of keys, in policies, where * ? and $ in
// a key have to be spelt so
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html).
func keysARN(partition, bucket, key string) string {
	return "arn:" + partition + ":s3:::" + bucket + "/" + strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(key)
}

// A bucketPolicy is a document of statements. Those that the deployment did not make
// are kept as they are.
type bucketPolicy struct {
	Version   string     `json:"Version"`
	ID        string     `json:"Id,omitempty"`
	Statement statements `json:"Statement"`
}

// statements are a list, or in a document also the only one by itself.
type statements []json.RawMessage

// UnmarshalJSON implements json.Unmarshaler.
func (s *statements) UnmarshalJSON(text []byte) error {
	if text[0] == '{' {
		*s = statements{slices.Clone(text)}
		return nil
	}
	return json.Unmarshal(text, (*[]json.RawMessage)(s))
}

// planAccess compares the bucket's policy with the deployment's statement for each space
// that is public, and none for the others.
func (b *bucket) planAccess(ctx context.Context) (provision.Step, error) {
	blocked, details, err := b.planBlock(ctx)
	if err != nil {
		return provision.Step{}, err
	}
	policy, err := b.policy(ctx)
	switch {
	case isUnsupported(err) && !b.isPublic():
		return provision.Step{Action: provision.OK}, nil
	case isUnsupported(err):
		return unsupported("this server has no bucket policies: let everybody read keys that begin with a hexadecimal digit, and not private/, by its own means"), nil
	case err != nil:
		return provision.Step{}, fmt.Errorf("read its policy: %w", err)
	}
	had := len(policy.Statement)
	changed, err := b.mergeStatements(&policy)
	if err != nil {
		return provision.Step{}, err
	}
	details = append(details, changed...)
	if len(details) == 0 {
		return provision.Step{Action: provision.OK}, nil
	}
	action := provision.Change
	if had == 0 && blocked == nil {
		action = provision.Create
	}
	return provision.Step{Action: action, Details: details, Apply: func(ctx context.Context) error {
		if blocked != nil {
			if _, err := b.Client.PutPublicAccessBlock(ctx, blocked); err != nil {
				return fmt.Errorf("let a policy grant public reading: %w", err)
			}
		}
		if len(changed) == 0 {
			return nil
		}
		return b.putPolicy(ctx, policy)
	}}, nil
}

func (b *bucket) isPublic() bool {
	return slices.ContainsFunc(b.Spaces, func(s Space) bool { return s.Public })
}

// planBlock returns how to stop the bucket from overruling a policy that lets any
// client read; nil, if it does not. S3 does for every new bucket.
func (b *bucket) planBlock(ctx context.Context) (*s3.PutPublicAccessBlockInput, []string, error) {
	if !b.isPublic() {
		return nil, nil, nil
	}
	out, err := b.Client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &b.Bucket})
	switch {
	case isUnsupported(err), isCode(err, "NoSuchPublicAccessBlockConfiguration"), isCode(err, "NoSuchBucket"):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read its public access block: %w", err)
	}
	is := out.PublicAccessBlockConfiguration
	if is == nil || !aws.ToBool(is.BlockPublicPolicy) && !aws.ToBool(is.RestrictPublicBuckets) {
		return nil, nil, nil
	}
	return &s3.PutPublicAccessBlockInput{Bucket: &b.Bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: is.BlockPublicAcls, IgnorePublicAcls: is.IgnorePublicAcls,
		BlockPublicPolicy: aws.Bool(false), RestrictPublicBuckets: aws.Bool(false),
	}}, []string{"public access block: let the bucket's policy grant reading (ACLs stay blocked as they are)"}, nil
}

// policy returns the bucket's policy; one without statements, if it has none.
func (b *bucket) policy(ctx context.Context) (bucketPolicy, error) {
	out, err := b.Client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.Bucket})
	switch {
	case isCode(err, "NoSuchBucketPolicy"), isCode(err, "NoSuchBucket"):
		return bucketPolicy{Version: provision.NewPolicy().Version}, nil
	case err != nil:
		return bucketPolicy{}, err
	}
	var p bucketPolicy
	if err := json.Unmarshal([]byte(aws.ToString(out.Policy)), &p); err != nil {
		return bucketPolicy{}, fmt.Errorf("it is no list of statements: %w", err)
	}
	return p, nil
}

func (b *bucket) putPolicy(ctx context.Context, p bucketPolicy) error {
	if len(p.Statement) == 0 {
		_, err := b.Client.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &b.Bucket})
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = b.Client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &b.Bucket, Policy: aws.String(string(text))})
	if isStatus(err, http.StatusForbidden) {
		return fmt.Errorf("set its policy, which s3:PutBucketPolicy allows, unless the public access block of the account is in the way: %w", err)
	}
	return err
}

// mergeStatements adds the deployment's statements, or removes them, and says what
// changed.
func (b *bucket) mergeStatements(p *bucketPolicy) (details []string, err error) {
	for _, space := range b.Spaces {
		wanted := readCopies(provision.Partition(b.Client.Options().Region), b.Bucket, space.Prefix, b.Owner)
		text, err := json.Marshal(wanted)
		if err != nil {
			return nil, err
		}
		at, foreign, err := b.find(p, wanted)
		for ; err == nil && foreign != ""; at, foreign, err = b.find(p, wanted) {
			if !b.Adopt {
				return nil, fmt.Errorf("%w: its policy has the statement %s about keys that begin with %q", provision.ErrForeign, foreign, space.Prefix)
			}
			details = append(details, fmt.Sprintf("statement %s: removed, since its keys are taken over", foreign))
			p.Statement = slices.Delete(p.Statement, at, at+1)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case !space.Public && at < 0:
		case !space.Public:
			details = append(details, fmt.Sprintf("statement about keys that begin with %q: removed, since clients come another way", space.Prefix))
			p.Statement = slices.Delete(p.Statement, at, at+1)
		case at < 0:
			details = append(details, fmt.Sprintf("statement %s: everybody may read keys that begin with %q and a hexadecimal digit", wanted.Sid, space.Prefix))
			p.Statement = append(p.Statement, text)
		case !sameStatement(p.Statement[at], text):
			details = append(details, fmt.Sprintf("statement %s: as it was made", wanted.Sid))
			p.Statement[at] = text
		}
	}
	return details, nil
}

// find returns the index of the statement about a space's keys, or -1; or the index
// and the Sid of another deployment's statement about the same keys.
func (b *bucket) find(p *bucketPolicy, wanted provision.Statement) (at int, foreign string, err error) {
	at = -1
	own := wanted.Sid[:len(wanted.Sid)-hashDigits]
	for i, raw := range p.Statement {
		var s struct {
			Sid      string
			Resource any
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, "", fmt.Errorf("its policy has a statement that is none: %w", err)
		}
		if s.Sid == wanted.Sid {
			at = i
			continue
		}
		if !strings.HasPrefix(s.Sid, statementMark) || strings.HasPrefix(s.Sid, own) {
			continue
		}
		if strings.HasSuffix(s.Sid, wanted.Sid[len(own):]) || overlap(prefixARN(s.Resource), prefixARN(wanted.Resource)) {
			return i, s.Sid, nil
		}
	}
	return at, "", nil
}

// prefixARN returns what the resources of a statement that provisioning made have
// in common: the ARN of the keys that begin with its prefix, before a digit and *.
func prefixARN(resource any) string {
	text := fmt.Sprint(resource)
	first, _, _ := strings.Cut(strings.Trim(text, "[]"), " ")
	return first[:max(len(first)-len("0*"), 0)]
}

// sameStatement compares what two statements mean: servers store lists of one as
// texts, order lists as they like, and name all clients in two ways.
func sameStatement(a, b []byte) bool {
	return reflect.DeepEqual(plainStatement(a), plainStatement(b))
}

func plainStatement(raw []byte) map[string]any {
	var s map[string]any
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	for key, value := range s {
		if principal, ok := value.(map[string]any); ok && key == "Principal" && len(principal) == 1 {
			value = principal["AWS"]
		}
		s[key] = value
		if list, ok := value.([]any); ok {
			texts := make([]string, len(list))
			for i, item := range list {
				texts[i] = fmt.Sprint(item)
			}
			slices.Sort(texts)
			if s[key] = texts; len(texts) == 1 {
				s[key] = texts[0]
			}
		}
	}
	return s
}
