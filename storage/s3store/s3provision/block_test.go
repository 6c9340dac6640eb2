package s3provision_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cloudmirror/provision"
	"cloudmirror/test/servers"
)

// A blocker is in front of an S3 server and has what AWS gives to every new
// bucket, and no server at hand knows: a public access block. While it blocks
// public policies, a bucket's policy cannot be set.
type blocker struct {
	block struct {
		XMLName                                                                     xml.Name `xml:"PublicAccessBlockConfiguration"`
		BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
	}
	server http.Handler
}

func (b *blocker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Has("publicAccessBlock") && r.Method == http.MethodGet:
		_ = xml.NewEncoder(w).Encode(b.block)
	case query.Has("publicAccessBlock") && r.Method == http.MethodPut:
		text, _ := io.ReadAll(r.Body)
		_ = xml.Unmarshal(text, &b.block)
	case query.Has("policy") && r.Method == http.MethodPut && b.block.BlockPublicPolicy:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
	default:
		b.server.ServeHTTP(w, r)
	}
}

// forward returns what passes requests on to a server.
func forward(t *testing.T, server *servers.S3) http.Handler {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = target.Scheme, target.Host, p.In.Host // which is signed
	}}
}

// goThrough has provisioning ask the server by way of a handler.
func (p *provisioned) goThrough(handler http.Handler) {
	p.t.Helper()
	front := httptest.NewServer(handler)
	p.t.Cleanup(front.Close)
	behind := p.options.Client.Options()
	behind.BaseEndpoint = aws.String(front.URL)
	p.options.Client = s3.New(behind)
}

func TestAPublicAccessBlockIsOpenedForPublicBucketsAlone(t *testing.T) {
	server := servers.StartVersityGW(t, region)
	b := &blocker{server: forward(t, server)}
	b.block.BlockPublicAcls, b.block.IgnorePublicAcls, b.block.BlockPublicPolicy, b.block.RestrictPublicBuckets = true, true, true, true
	p := newProvisioned(t, server, day)
	p.goThrough(b)

	p.options.Spaces[0].Public = false
	p.want(false, provision.Create, provision.OK, provision.Manual, provision.OK)
	if !b.block.BlockPublicPolicy || !b.block.RestrictPublicBuckets {
		t.Error("the block of a private bucket was opened")
	}
	p.options.Spaces[0].Public = true
	clear(p.calls)
	p.want(false, provision.OK, provision.Change, provision.Manual, provision.OK)
	p.wantCalls(map[string]int{"PutPublicAccessBlock": 1, "PutBucketPolicy": 1})
	if b.block.BlockPublicPolicy || b.block.RestrictPublicBuckets || !b.block.BlockPublicAcls || !b.block.IgnorePublicAcls {
		t.Errorf("the block is %+v", b.block)
	}
	p.wantAccess("")
	p.want(false, provision.OK, provision.OK, provision.Manual, provision.OK)
	p.wantCalls(map[string]int{})
}
