package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"cloudmirror"
	"cloudmirror/origin/origintest"
	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// TestRolesNeedExactlyTheirPolicies provisions a deployment, runs each role under
// the policy that is printed for it, and has it do all that it does. minio
// enforces the policies about S3. What is asked of SQS and S3 is recorded as well:
// all of it is allowed, and nothing is allowed that nobody did.
func TestRolesNeedExactlyTheirPolicies(t *testing.T) {
	if os.Getenv("CLOUDMIRROR_MINIO") != "1" {
		t.Skip("policies are enforced by minio only, which CI has in a step of its own: CLOUDMIRROR_MINIO=1")
	}
	minio := servers.StartMinIO(t, region)
	r := newRecorder(t)
	queues := httptest.NewServer(r.sqs(sqstest.New(sqstest.Options{})))
	t.Cleanup(queues.Close)
	objects := httptest.NewServer(r.s3(minio.Endpoint))
	t.Cleanup(objects.Close)

	d := &deployment{t: t, origin: origintest.Start(t), env: environment(minio.AccessKey, minio.SecretKey, "")}
	bucket := "roles-" + cloudmirror.NewID()
	redis := servers.StartRedis(t)
	d.parts.redis = redis
	d.config = filepath.Join(t.TempDir(), "cloudmirror.yaml")
	text := fmt.Sprintf(`
admin_tokens: ['%s']
cache: {type: redis, redis: {url: 'redis://%s/0', near: {memory: 0}}}
queue: {type: sqs, sqs: {endpoint: '%s', visibility: 3s}}
copier: {part_size: 5MiB, memory: 64MiB, grace: 1s}
limits: {copies_per_host: 1}
services:
  e2e:
    allow: ['^http://127\.0\.0\.1:[0-9]+/']
    allow_addresses: ['127.0.0.0/8']
    ports: []
    backends:
      %s: {storage: {type: s3, bucket: %s, prefix: p/, endpoint: '%s', path_style: true}}
`, token, redis.Addr(), queues.URL, region, bucket, objects.URL)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("provision", "--config", d.config)

	policies := make(map[provision.Role]provision.Policy)
	environments := make(map[provision.Role][]string)
	for _, role := range []provision.Role{provision.Frontend, provision.Copier} {
		printed := d.run("provision", "policy", string(role), "--config", d.config)
		var p provision.Policy
		if err := json.Unmarshal(printed, &p); err != nil {
			t.Fatal(err)
		}
		policies[role] = p
		d.env = assumeRole(t, minio, string(printed))
		r.roles[strings.TrimPrefix(d.env[0], "AWS_ACCESS_KEY_ID=")] = role
		d.start(string(role))
		environments[role] = d.env
		d.env = environment(minio.AccessKey, minio.SecretKey, "")
	}
	d.doEverything(r, minio.Client(), queues.URL, bucket)
	r.compare(policies)

	// Doctor needs no more than a copier may do. It would guess the tests' token.
	if err := os.WriteFile(d.config, []byte(strings.Replace(text, token, cloudmirror.NewID(), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.env = environments[provision.Copier]
	if told := string(d.run("doctor", "--config", d.config)); !strings.Contains(told, "[client-access-denied]") || !strings.Contains(told, "ok      copies of e2e/"+region) {
		t.Errorf("as a copier, doctor says\n%s", told)
	}
}

// doEverything has the roles do each kind of thing that they ever do.
func (d *deployment) doEverything(r *recorder, root *s3.Client, queues, bucket string) {
	t := d.t
	t.Helper()
	const large = "/large?size=6000000" // in parts, with a sidecar
	d.awaitCopies()
	for _, path := range []string{"/small?size=10", large} {
		if got := d.fetch(path); got.status != http.StatusOK {
			t.Errorf("GET %s: the copy is answered with %d", path, got.status)
		}
	}
	// A flush: storage is looked at. Then a copy without its sidecar, which the
	// copier replaces.
	flush := func() { d.redisClient().FlushDB(t.Context()) }
	flush()
	d.fetch(large)
	out, err := root.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("p/private/")})
	if err != nil || len(out.Contents) != 1 {
		t.Fatalf("%d sidecars, error %v", len(out.Contents), err)
	}
	if _, err := root.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: out.Contents[0].Key}); err != nil {
		t.Fatal(err)
	}
	flush()
	d.fetch(large)
	if a := d.admin(http.MethodDelete, "purge", large); a.status != http.StatusNoContent {
		t.Errorf("purge: %d %s", a.status, a.body)
	}
	// An upload that its origin breaks, and what is no job.
	d.origin.Set("/broken", origintest.Behaviour{SizeBytes: 12_000_000, CutAfter: 11_000_000, NoETag: true, NoDate: true, Times: 1})
	d.fetch("/broken")
	d.letters(queues)
	// More copies of a host, none of which ends, than may wait for their turns: those
	// that wait are hidden, the others go back.
	hanging := origintest.Start(t)
	gate := make(chan struct{})
	var urls []string
	for i := range 12 {
		slow := fmt.Sprintf("/slow%d", i)
		hanging.Set(slow, origintest.Behaviour{SizeBytes: 10, Gate: gate})
		urls = append(urls, hanging.URL+slow)
	}
	d.post("/v1/warm", map[string]any{"service": "e2e", "regions": []string{region}, "urls": urls})
	d.eventually("a copier hides its messages, and defers some", func() bool {
		return r.saw(provision.Copier, "sqs:ChangeMessageVisibility") && r.saw(provision.Copier, "sqs:SendMessage cloudmirror-e2e-"+region+"$")
	})
	close(gate)
}

// letters has messages that are no jobs buried, looked at, redriven and dropped.
func (d *deployment) letters(endpoint string) {
	t := d.t
	t.Helper()
	client := sqs.New(sqs.Options{BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("root", "root", "")})
	found, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("cloudmirror-e2e-" + region)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: found.QueueUrl, MessageBody: aws.String("no job")}); err != nil {
		t.Fatal(err)
	}
	endpointOf := "/v1/dead-letters/e2e/" + region
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	d.eventually("the letter is listed", func() bool {
		return strings.Contains(d.must(http.MethodGet, d.frontends[0]+endpointOf, bearer).body, "no job")
	})
	d.run("dlq", "drop", "--all", "--config", d.config, "--server", d.frontends[0], "--token", token, "--service", "e2e", "--region", region)
}

func (d *deployment) post(endpoint string, body any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.frontends[0]+endpoint, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := client().Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		d.t.Fatalf("POST %s: %s", endpoint, response.Status)
	}
}

// run runs a command of the program and returns what it printed.
func (d *deployment) run(args ...string) []byte {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), binary, args...)
	command.Env = append(os.Environ(), d.env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		d.t.Fatalf("cloudmirror %s: %v\n%s%s", strings.Join(args, " "), err, output, stderr.String())
	}
	return output
}

func environment(accessKey, secretKey, sessionToken string) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_SESSION_TOKEN=" + sessionToken,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// assumeRole returns credentials that may do what a policy allows, and no more.
func assumeRole(t *testing.T, minio *servers.S3, policy string) []string {
	t.Helper()
	client := sts.New(sts.Options{
		BaseEndpoint: &minio.Endpoint, Region: minio.Region,
		Credentials: credentials.NewStaticCredentialsProvider(minio.AccessKey, minio.SecretKey, ""),
	})
	// minio takes no actions that it does not know: those of SQS are left out.
	var document provision.Policy
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		t.Fatal(err)
	}
	var kept []provision.Statement
	for _, s := range document.Statement {
		if strings.HasPrefix(s.Action[0], "s3:") {
			kept = append(kept, s)
		}
	}
	document.Statement = kept
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/any"), RoleSessionName: aws.String("test"), Policy: aws.String(string(text)),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	return environment(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// A recorder notes what is asked of SQS and S3, and by whom.
type recorder struct {
	t     *testing.T
	roles map[string]provision.Role // by access key

	mu      sync.Mutex
	calls   map[provision.Role]map[string]bool // "<action> <resource>"
	refused []string
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{
		t: t, roles: make(map[string]provision.Role),
		calls: map[provision.Role]map[string]bool{provision.Frontend: {}, provision.Copier: {}},
	}
}

// note records a call of a role; others, such as ours, do not count.
func (r *recorder) note(request *http.Request, action, resource string) {
	match := regexp.MustCompile(`Credential=([^/]+)/`).FindStringSubmatch(request.Header.Get("Authorization"))
	if match == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if calls := r.calls[r.roles[match[1]]]; calls != nil {
		calls[action+" "+resource] = true
	}
}

func (r *recorder) saw(role provision.Role, pattern string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for call := range r.calls[role] {
		if regexp.MustCompile(pattern).MatchString(call) {
			return true
		}
	}
	return false
}

func (r *recorder) sqs(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		var in struct{ QueueUrl, QueueName string } //nolint:revive // the protocol's spelling
		_ = json.Unmarshal(body, &in)
		action := strings.TrimSuffix(strings.TrimPrefix(request.Header.Get("X-Amz-Target"), "AmazonSQS."), "Batch")
		r.note(request, "sqs:"+action, strings.Trim(in.QueueName+path.Base(in.QueueUrl), "."))
		server.ServeHTTP(w, request)
	})
}

func (r *recorder) s3(endpoint string) http.Handler {
	target, err := url.Parse(endpoint)
	if err != nil {
		r.t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = target.Scheme, target.Host, p.In.Host // which is signed
			bucket, key, _ := strings.Cut(strings.TrimPrefix(p.In.URL.Path, "/"), "/")
			action, resource := objectAction(p.In), bucket+"/"+key
			if key == "" {
				action, resource = "s3:ListBucket", bucket
			}
			r.note(p.In, action, resource)
		},
		ModifyResponse: func(response *http.Response) error {
			bucket, key, _ := strings.Cut(strings.TrimPrefix(response.Request.URL.Path, "/"), "/")
			if response.StatusCode == http.StatusNotFound && key != "" {
				r.note(response.Request, "s3:ListBucket", bucket) // without which it is a 403
			}
			if response.StatusCode == http.StatusForbidden {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.refused = append(r.refused, response.Request.Method+" "+response.Request.URL.Path)
			}
			return nil
		},
	}
}

// objectAction returns the permission that a request about a key needs.
func objectAction(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		return "s3:AbortMultipartUpload"
	case r.Method == http.MethodDelete:
		return "s3:DeleteObject"
	case r.Method == http.MethodPut, r.Method == http.MethodPost:
		return "s3:PutObject"
	}
	return "s3:GetObject"
}

// compare holds what each role did against its policy, both ways.
func (r *recorder) compare(policies map[provision.Role]provision.Policy) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, call := range r.refused {
		r.t.Errorf("refused: %s", call)
	}
	for role, policy := range policies {
		unexplained := make(map[string]bool)
		for call := range r.calls[role] {
			unexplained[call] = true
		}
		for _, s := range policy.Statement {
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					if !explain(unexplained, r.calls[role], action, resource) {
						r.t.Errorf("the policy of the %s allows %s on %s, which it never does", role, action, resource)
					}
				}
			}
		}
		for call := range unexplained {
			r.t.Errorf("the %s does what its policy does not allow: %s", role, call)
		}
	}
}

// explain takes the calls out that an action on a resource allows, and reports
// whether there was one.
func explain(unexplained, calls map[string]bool, action, resource string) (used bool) {
	name := resource[strings.LastIndex(resource, ":")+1:]
	pattern := "^" + action + " " + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*") + "$"
	for call := range calls {
		if regexp.MustCompile(pattern).MatchString(call) {
			used = true
			delete(unexplained, call)
		}
	}
	return used
}
