package s3provision_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cloudmirror/provision"
	"cloudmirror/storage/s3store/s3provision"
	"cloudmirror/test/servers"
)

// forPages is a space that scripts may read.
var forPages = s3provision.Space{Prefix: "pages/", Keep: 36 * time.Hour, CORS: true}

// ask sends a request as a browser does that was redirected from another site.
func (p *provisioned) ask(method, key string) http.Header {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.Endpoint+"/"+p.options.Bucket+"/"+key, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header = http.Header{"Origin": {"null"}, "Range": {"bytes=0-0"}}
	if method == http.MethodOptions {
		request.Header = http.Header{"Origin": {"null"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"if-none-match,range"}}
	}
	response, err := stranger(p.t).Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	response.Body.Close()
	return response.Header
}

func (p *provisioned) corsRules() (ids []string, rules []types.CORSRule) {
	p.t.Helper()
	out, err := p.Client().GetBucketCors(p.t.Context(), &s3.GetBucketCorsInput{Bucket: &p.options.Bucket})
	if err != nil {
		return nil, nil // there are none
	}
	for _, r := range out.CORSRules {
		ids = append(ids, aws.ToString(r.ID))
	}
	return ids, out.CORSRules
}

func (p *provisioned) putCORS(rules ...types.CORSRule) {
	p.t.Helper()
	_, err := p.Client().PutBucketCors(p.t.Context(), &s3.PutBucketCorsInput{
		Bucket: &p.options.Bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestScriptsMayReadAProvisionedBucket(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day, forPages)
	p.want(true, provision.Create, provision.Create, provision.Create, provision.Create)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.Create)
	p.wantCalls(map[string]int{"CreateBucket": 1, "PutBucketPolicy": 1, "PutBucketCors": 1})
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.wantCalls(map[string]int{})
	p.status("0a/0/object")
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
		header := p.ask(method, "0a/0/object")
		exposed := header.Get("Access-Control-Expose-Headers")
		if header.Get("Access-Control-Allow-Origin") != "*" || header.Get("Access-Control-Allow-Credentials") == "true" ||
			!strings.Contains(exposed, "ETag") || !strings.Contains(exposed, "Content-Range") {
			t.Errorf("%s: %v", method, header)
		}
	}
}

func TestCORSRulesOfOthersStay(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day, forPages)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.Create)
	_, rules := p.corsRules()
	theirs := types.CORSRule{ID: aws.String("theirs"), AllowedMethods: []string{"PUT"}, AllowedOrigins: []string{"https://app.example.com"}}
	other := rules[0]
	other.ID = aws.String("cloudmirror:other")
	changed := rules[0]
	changed.ExposeHeaders = nil
	p.putCORS(theirs, changed, other)
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.Change)
	if ids, rules := p.corsRules(); !slices.Equal(ids, []string{"theirs", "cloudmirror:me", "cloudmirror:other"}) || !slices.Contains(rules[1].ExposeHeaders, "ETag") {
		t.Errorf("the rules are %v", ids)
	}
	p.options.Spaces[1].CORS = false
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.Change)
	if ids, _ := p.corsRules(); !slices.Equal(ids, []string{"theirs", "cloudmirror:other"}) {
		t.Errorf("without pages the rules are %v", ids)
	}
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.options.Spaces[1].CORS = true
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.Change)
	if ids, _ := p.corsRules(); !slices.Equal(ids, []string{"theirs", "cloudmirror:other", "cloudmirror:me"}) {
		t.Errorf("with pages again the rules are %v", ids)
	}
	p.options.Spaces[1].CORS = false
	p.putCORS(rules[0])
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.Change)
	if ids, _ := p.corsRules(); len(ids) > 0 {
		t.Errorf("the rules are %v, want none", ids)
	}
}

// A deployment that needs no rule needs no right to look at rules.
func TestCORSThatCannotBeLookedAt(t *testing.T) {
	p := newProvisioned(t, servers.StartVersityGW(t, region), day)
	p.want(false, provision.Create, provision.Create, provision.Manual, provision.OK)
	p.options.Client = p.AnonymousClient()
	if actions, _ := p.run(false); actions[3] != provision.OK {
		t.Errorf("actions %v", actions)
	}
	p.options.Spaces = append(p.options.Spaces, forPages)
	if actions, err := p.run(false); actions[3] != "" || !errors.Is(err, provision.ErrDenied) {
		t.Errorf("actions %v, error %v", actions, err)
	}
}

// minio answers browsers by itself, and cannot be told about a bucket.
func TestCORSOnMinIO(t *testing.T) {
	p := newProvisioned(t, startMinIO(t), day, forPages)
	p.want(false, provision.Create, provision.Create, provision.Create, provision.Manual)
	p.want(false, provision.OK, provision.OK, provision.OK, provision.Manual)
	p.status("0a/0/object")
	if header := p.ask(http.MethodGet, "0a/0/object"); header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("minio does not do what the detail says: %v", header)
	}
	p.options.Spaces[1].CORS = false
	p.want(false, provision.OK, provision.OK, provision.OK, provision.OK)
}
