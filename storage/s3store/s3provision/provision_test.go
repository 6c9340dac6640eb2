package s3provision_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"cloudmirror"
	"cloudmirror/provision"
	"cloudmirror/storage/s3store/s3provision"
	"cloudmirror/test/servers"
)

// A provisioned bucket, and what is asked of the server for it, by action.
type provisioned struct {
	*servers.S3
	t       *testing.T
	options s3provision.BucketOptions
	calls   map[string]int
}

func newProvisioned(t *testing.T, server *servers.S3, spaces ...s3provision.Space) *provisioned {
	p := &provisioned{S3: server, t: t, calls: make(map[string]int)}
	plain := server.Client().Options()
	plain.APIOptions = append(plain.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("count", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			p.calls[middleware.GetOperationName(ctx)]++
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
	p.options = s3provision.BucketOptions{
		Client: s3.New(plain), Bucket: "copies-" + cloudmirror.NewID(), Owner: "me", Spaces: spaces,
	}
	return p
}

// run provisions, and returns the action for bucket, access, lifecycle and CORS,
// with all errors.
func (p *provisioned) run(dryRun bool) (actions []provision.Action, err error) {
	p.t.Helper()
	_ = provision.Run(p.t.Context(), s3provision.Provision(p.options), dryRun, func(o provision.Outcome) error {
		p.t.Log(o)
		actions = append(actions, o.Action)
		err = errors.Join(err, o.Err)
		return nil
	})
	return actions, err
}

func (p *provisioned) want(dryRun bool, want ...provision.Action) {
	p.t.Helper()
	actions, err := p.run(dryRun)
	if diff := cmp.Diff(want, actions); diff != "" || err != nil {
		p.t.Errorf("error %v, actions (-want +got):\n%s", err, diff)
	}
}

// wantCalls compares the calls that change anything.
func (p *provisioned) wantCalls(want map[string]int) {
	p.t.Helper()
	maps.DeleteFunc(p.calls, func(action string, _ int) bool {
		return strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "Head")
	})
	if diff := cmp.Diff(want, p.calls); diff != "" {
		p.t.Errorf("changing calls (-want +got):\n%s", diff)
	}
	clear(p.calls)
}

// status stores an object, and returns the status that a client without credentials gets for it.
func (p *provisioned) status(key string) int {
	p.t.Helper()
	if _, err := p.Client().PutObject(p.t.Context(), &s3.PutObjectInput{Bucket: &p.options.Bucket, Key: &key}); err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.Endpoint+"/"+p.options.Bucket+"/"+key, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := stranger(p.t).Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

var day = s3provision.Space{Keep: 36 * time.Hour, Public: true}

func TestProvisionedBucketOnVersityGW(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	// Without a bucket the server does not tell what it lacks.
	p.want(true, provision.Create, provision.Create, provision.Create, provision.OK)
	p.wantCalls(map[string]int{})
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.wantCalls(map[string]int{"CreateBucket": 1, "PutBucketPolicy": 1})
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.wantCalls(map[string]int{})
	p.wantAccess("")
}

func TestProvisionedBucketOnMinIO(t *testing.T) {
	p := newProvisioned(t, startMinIO(t), day)
	p.want(true, provision.Create, provision.Create, provision.Create, provision.OK)
	p.wantCalls(map[string]int{})
	p.want(false, provision.Create, provision.Create, provision.Create, provision.OK)
	p.wantCalls(map[string]int{"CreateBucket": 1, "PutBucketPolicy": 1, "PutBucketLifecycleConfiguration": 1})
	p.want(false, provision.OK, provision.OK, provision.OK, provision.OK)
	p.wantCalls(map[string]int{})
	p.wantAccess("")
	p.wantRules(map[string]int32{"cloudmirror:me:": 2})
}

func TestProvisionedBucketWithVersionsOnMinIO(t *testing.T) {
	p := newProvisioned(t, startMinIO(t), day)
	p.want(false, provision.Create, provision.Create, provision.Create, provision.OK)
	_, err := p.Client().PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &p.options.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.want(false, provision.OK, provision.OK, provision.Change, provision.OK)
	p.want(false, provision.OK, provision.OK, provision.OK, provision.OK)
}

func (p *provisioned) wantAccess(prefix string) {
	p.t.Helper()
	for key, want := range map[string]int{
		"0a/0/object": http.StatusOK, "f/0/object": http.StatusOK,
		"private/0a/0.id.json": http.StatusForbidden, "other": http.StatusForbidden,
	} {
		if got := p.status(prefix + key); got != want {
			p.t.Errorf("a stranger gets %d for %s, want %d", got, prefix+key, want)
		}
	}
}

func (p *provisioned) wantRules(want map[string]int32) {
	p.t.Helper()
	out, err := p.Client().GetBucketLifecycleConfiguration(p.t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: &p.options.Bucket})
	if err != nil {
		p.t.Fatal(err)
	}
	got := make(map[string]int32)
	for _, r := range out.Rules {
		got[aws.ToString(r.ID)] = aws.ToInt32(r.Expiration.Days)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("rules and their days (-want +got):\n%s", diff)
	}
}

func TestRulesOfOthersStay(t *testing.T) {
	p := newProvisioned(t, startMinIO(t), s3provision.Space{Prefix: "a/", Keep: 36 * time.Hour})
	p.want(false, provision.Create, provision.OK, provision.Create, provision.OK)
	p.options.Spaces[0].Keep = 50 * time.Hour // the ttl was made longer
	p.options.Spaces = append(p.options.Spaces, s3provision.Space{Prefix: "b/", Keep: time.Minute})
	p.addRule("theirs", "other/", 1)
	p.want(false, provision.OK, provision.OK, provision.Change, provision.OK)
	p.wantRules(map[string]int32{"theirs": 1, "cloudmirror:me:a/": 3, "cloudmirror:me:b/": 1})
	p.addRule("hasty", "a", 2)
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.wantRules(map[string]int32{"theirs": 1, "cloudmirror:me:a/": 3, "cloudmirror:me:b/": 1, "hasty": 2})

	p.addRule("cloudmirror:other:", "", 9)
	clear(p.calls)
	if _, err := p.run(false); !errors.Is(err, provision.ErrForeign) {
		t.Errorf("error %v, want ErrForeign", err)
	}
	p.wantCalls(map[string]int{})
}

func (p *provisioned) addRule(id, prefix string, days int32) {
	p.t.Helper()
	out, err := p.Client().GetBucketLifecycleConfiguration(p.t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: &p.options.Bucket})
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = p.Client().PutBucketLifecycleConfiguration(p.t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &p.options.Bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: append(out.Rules, types.LifecycleRule{
			ID: &id, Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: &prefix},
			Expiration: &types.LifecycleExpiration{Days: &days},
		})},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestStatementsOfOthersStay(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region),
		s3provision.Space{Prefix: "a/", Public: true}, s3provision.Space{Prefix: "b/"}, s3provision.Space{Prefix: "c/", Public: true})
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.addStatement("Theirs", "other/*")
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.wantAccess("a/")
	p.wantAccess("c/")
	if got := p.status("b/0a"); got != http.StatusForbidden {
		t.Errorf("a stranger gets %d for what is not public", got)
	}
	p.options.Spaces[0].Public = false // clients come another way from now on
	p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
	if got := p.status("a/1"); got != http.StatusForbidden {
		t.Errorf("a stranger gets %d for what is not public any more", got)
	}
	p.wantAccess("c/")
	if got := p.status("other/x"); got != http.StatusOK {
		t.Errorf("a stranger gets %d for what somebody else's statement allows", got)
	}
	p.options.Spaces[2].Public = false
	p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	if sids := p.sids(); len(sids) != 1 || sids[0] != "Theirs" {
		t.Errorf("the statements are %v", sids)
	}
}

func TestAStatementThatWasChangedIsMadeAgain(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.editPolicy(func(policy string) string { return strings.ReplaceAll(policy, "/0*", "/*") })
	if got := p.status("private/x"); got != http.StatusOK {
		t.Fatalf("the policy was not changed: a stranger gets %d", got)
	}
	p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
	p.wantAccess("")
}

func TestABucketOfAnotherDeploymentIsLeftAlone(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.options.Owner = "you"
	clear(p.calls)
	if _, err := p.run(false); !errors.Is(err, provision.ErrForeign) {
		t.Errorf("error %v, want ErrForeign", err)
	}
	p.wantCalls(map[string]int{})
	p.options.Adopt = true
	p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
	p.options.Adopt = false
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	if sids := p.sids(); len(sids) != 1 || !strings.Contains(sids[0], "you") {
		t.Errorf("the statements are %v", sids)
	}
}

func TestABucketThatCannotBeLookedAtIsNotMade(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.options.Client = p.AnonymousClient()
	if actions, err := p.run(true); err == nil || actions[0] != "" {
		t.Errorf("actions %v, error %v", actions, err)
	}
}

func TestAWrongRegionIsNamed(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	elsewhere := p.options.Client.Options()
	elsewhere.Region = "eu-north-1"
	p.options.Client = s3.New(elsewhere)
	if _, err := p.run(true); err == nil || !strings.Contains(err.Error(), "storage.region (eu-north-1)") {
		t.Errorf("error %v", err)
	}
}

func (p *provisioned) sids() (sids []string) {
	p.t.Helper()
	p.editPolicy(func(text string) string {
		var policy struct{ Statement []struct{ Sid string } }
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			p.t.Fatal(err)
		}
		for _, s := range policy.Statement {
			sids = append(sids, s.Sid)
		}
		return text
	})
	return sids
}

func (p *provisioned) addStatement(sid, keys string) {
	p.t.Helper()
	p.editPolicy(func(policy string) string {
		return strings.Replace(policy, `"Statement":[`, `"Statement":[{"Sid":"`+sid+
			`","Effect":"Allow","Principal":{"AWS":["*"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::`+p.options.Bucket+"/"+keys+`"},`, 1)
	})
}

func (p *provisioned) editPolicy(edit func(string) string) {
	p.t.Helper()
	out, err := p.Client().GetBucketPolicy(p.t.Context(), &s3.GetBucketPolicyInput{Bucket: &p.options.Bucket})
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = p.Client().PutBucketPolicy(p.t.Context(), &s3.PutBucketPolicyInput{Bucket: &p.options.Bucket, Policy: aws.String(edit(*out.Policy))})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestDaysOfALifecycle(t *testing.T) {
	for keep, want := range map[time.Duration]int32{
		time.Minute: 1, 24 * time.Hour: 1, 24*time.Hour + 1: 2, 36 * time.Hour: 2, 48*time.Hour + 1: 3,
	} {
		if got := s3provision.Days(keep); got != want {
			t.Errorf("%v: %d days, want %d", keep, got, want)
		}
	}
}
