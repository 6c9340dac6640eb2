package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/app"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/doctor"
	"cloudmirror/kv/rediskv"
	"cloudmirror/presence"
	"cloudmirror/provision"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// A ward is a deployment that doctor looks at: real servers, of which the Redis
// and the queues are its own, and a configuration to be changed.
type ward struct {
	*testing.T
	redis  *servers.Redis
	queues *sqstest.Server
	sqs    *sqs.Client
	s3     *servers.S3
	bucket string
	now    func() time.Time

	// The configuration's lines.
	top, cache, queue, service, storage string
	environ                             []string
}

// newWard returns a deployment in good health, once it is provisioned.
func newWard(t *testing.T, server *servers.S3) *ward {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	w := &ward{T: t, redis: servers.StartRedis(t), s3: server, bucket: "doctor-" + cloudmirror.NewID(), now: time.Now}
	var endpoint string
	w.queues, endpoint = sqstest.Start(t, sqstest.Options{})
	w.sqs = sqs.New(sqs.Options{BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")})
	w.top = "admin_tokens: [4Yk0mBv2nQ7sX9tR1cWz]"
	// A near cache would have the round trip judged, on a busy machine.
	w.cache = fmt.Sprintf("url: 'redis://%s/0', near: {memory: 0}", w.redis.Addr())
	w.queue = fmt.Sprintf("endpoint: '%s'", endpoint)
	w.service = `allow: ['^https://releases\.example\.com/']`
	w.storage = fmt.Sprintf("type: s3, bucket: %s, endpoint: '%s', path_style: true", w.bucket, server.Endpoint)
	return w
}

func (w *ward) config() *config.Config {
	w.Helper()
	path := filepath.Join(w.TempDir(), "cloudmirror.yaml")
	text := fmt.Sprintf("%s\ncache: {type: redis, redis: {%s}}\nqueue: {type: sqs, sqs: {%s}}\nservices:\n  s3:\n    %s\n    backends: {eu-west-1: {storage: {%s}}}\n",
		w.top, w.cache, w.queue, w.service, w.storage)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	c, err := config.Load(path, w.environ, config.Overrides{})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// provision makes what the configuration needs, and returns what was done.
func (w *ward) provision() (actions []provision.Action) {
	w.Helper()
	resources, err := app.Provision(w.Context(), w.config(), false)
	if err != nil {
		w.Fatal(err)
	}
	err = provision.Run(w.Context(), resources, false, func(o provision.Outcome) error {
		actions = append(actions, o.Action)
		return o.Err
	})
	if err != nil {
		w.Fatal(err)
	}
	return actions
}

// diagnose returns the IDs of all warnings and errors, and checks that nothing
// is left behind.
func (w *ward) diagnose() []string {
	w.Helper()
	before := w.traces()
	var found []string
	err := app.Diagnose(w.Context(), w.config(), w.now, func(f doctor.Finding) {
		w.Logf("%+v", f)
		if f.Severity == doctor.Warning || f.Severity == doctor.Error {
			found = append(found, string(f.ID))
			if f.Problem == "" || f.Remedy == "" {
				w.Errorf("%s does not say what is wrong or what to do", f.ID)
			}
		}
	})
	if err != nil {
		w.Fatal(err)
	}
	if diff := cmp.Diff(before, w.traces()); diff != "" {
		w.Errorf("doctor left something behind (-before +after):\n%s", diff)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// traces returns all that doctor might leave: objects, keys, messages, and
// requests that change anything.
func (w *ward) traces() map[string]int {
	w.Helper()
	traces := make(map[string]int)
	if out, err := w.s3.Client().ListObjectsV2(w.Context(), &s3.ListObjectsV2Input{Bucket: &w.bucket}); err == nil {
		for _, o := range out.Contents {
			traces["object "+*o.Key]++
		}
	}
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	if keys, err := client.Keys(w.Context(), "*").Result(); err == nil {
		traces["keys"] = len(keys)
	}
	for _, action := range []string{"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "CreateQueue", "SetQueueAttributes", "TagQueue"} {
		traces[action] = w.queues.Requests(action)
	}
	return traces
}

func (w *ward) redisDo(args ...any) {
	w.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	if err := client.Do(w.Context(), args...).Err(); err != nil {
		w.Fatal(err)
	}
}

func (w *ward) queueURL(name string) *string {
	w.Helper()
	out, err := w.sqs.GetQueueUrl(w.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		w.Fatal(err)
	}
	return out.QueueUrl
}

func (w *ward) setQueue(attribute, value string) {
	w.Helper()
	_, err := w.sqs.SetQueueAttributes(w.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: w.queueURL("cloudmirror-s3-eu-west-1"), Attributes: map[string]string{attribute: value},
	})
	if err != nil {
		w.Fatal(err)
	}
}

// editPolicy replaces parts of the bucket's policy.
func (w *ward) editPolicy(oldNew ...string) {
	w.Helper()
	out, err := w.s3.Client().GetBucketPolicy(w.Context(), &s3.GetBucketPolicyInput{Bucket: &w.bucket})
	if err != nil {
		w.Fatal(err)
	}
	edited := strings.NewReplacer(oldNew...).Replace(*out.Policy)
	if edited == *out.Policy {
		w.Fatalf("nothing to replace in %s", edited)
	}
	if _, err := w.s3.Client().PutBucketPolicy(w.Context(), &s3.PutBucketPolicyInput{Bucket: &w.bucket, Policy: &edited}); err != nil {
		w.Fatal(err)
	}
}

// provisionAs has another deployment, by its Redis prefix, provision the same.
func (w *ward) provisionAs(prefix string) {
	w.Helper()
	own := w.cache
	w.cache += ", prefix: '" + prefix + "'"
	w.provision()
	w.cache = own
}

// refuse has the storage refuse requests, as it does whom it does not allow them.
func (w *ward) refuse(isRefused func(*http.Request) bool) {
	w.Helper()
	target, err := url.Parse(w.s3.Endpoint)
	if err != nil {
		w.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = target.Scheme, target.Host, p.In.Host // which is signed
	}}
	w.storage = strings.Replace(w.storage, w.s3.Endpoint, serveHTTP(w.T, func(rw http.ResponseWriter, r *http.Request) {
		if isRefused(r) {
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprint(rw, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
			return
		}
		proxy.ServeHTTP(rw, r)
	}), 1)
}

// allowUser has the deployment use Redis as a user with these permissions.
func (w *ward) allowUser(permissions ...any) {
	w.redisDo(append([]any{"acl", "setuser", "app", "on", ">secret"}, permissions...)...)
	w.cache = strings.Replace(w.cache, "redis://", "redis://app:secret@", 1)
}

// putNote has a process say something of itself.
func (w *ward) putNote(n presence.Note) {
	w.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	value, err := json.Marshal(n)
	if err != nil {
		w.Fatal(err)
	}
	if err := rediskv.New(client, rediscache.DefaultPrefix).Put(w.Context(), "presence", n.ID, value, time.Hour); err != nil {
		w.Fatal(err)
	}
}

// TestDoctorFindsPlantedFaults plants one fault at a time, after the deployment
// was provisioned or, for what keeps it from that, before.
func TestDoctorFindsPlantedFaults(t *testing.T) {
	server := servers.StartVersityGW(t, "eu-west-1")
	for name, test := range map[string]struct {
		before, after func(*ward)
		want          []string
	}{
		"none": {},
		"an open allow pattern": {
			after: func(w *ward) { w.service = "allow: ['^https?://']" }, want: []string{"allow-open"},
		},
		"a pattern that lets any name through": {
			after: func(w *ward) { w.service = "allow: ['^https://[^/]+/']" }, want: []string{"allow-open"},
		},
		"a pattern that lets any name of a domain through that sells them": {
			after: func(w *ward) {
				w.service = `allow: ['^https://releases\.example\.com/', '^https://([a-z0-9-]+\.)+com/.*\.tar\.gz$']`
			}, want: []string{"allow-open"},
		},
		"a pattern of letters and dots": {
			after: func(w *ward) { w.service = `allow: ['^https://(?:[a-z]+\.)*[a-z]+/']` }, want: []string{"allow-open"},
		},
		"any name below one that is owned is no fault": {
			after: func(w *ward) { w.service = `allow: ['^https://[a-z0-9-]+\.example\.com/']` },
		},
		"credentials that every client uses": {
			after: func(w *ward) { w.service += "\n    headers: {Authorization: Bearer x}" }, want: []string{"headers-secret"},
		},
		"cookies that every client uses": {
			after: func(w *ward) { w.service += "\n    headers: {cookie: a=b}" }, want: []string{"headers-secret"},
		},
		"credentials for whatever host a client names": {
			after: func(w *ward) { w.service = "allow: ['^https://']\n    headers: {X-Api-Key: x}" },
			want:  []string{"allow-open", "headers-open", "headers-secret"},
		},
		"headers without credentials are no fault": {
			after: func(w *ward) { w.service += "\n    headers: {Accept: text/plain, X-Client: mirror}" },
		},
		"a wait above that of balancers": {
			after: func(w *ward) { w.service += "\n    wait: 60s" }, want: []string{"wait-long"},
		},
		"a token of one letter": {
			after: func(w *ward) { w.top = "admin_tokens: [aaaaaaaaaaaaaaaaaaaa]" }, want: []string{"token-guessable"},
		},
		"a word as token, hashed": {
			after: func(w *ward) {
				w.top = fmt.Sprintf("admin_tokens: ['sha256:%x']", cloudmirror.HashToken("password-password"))
			}, want: []string{"token-guessable"},
		},
		"the token of the compose file": {
			after: func(w *ward) { w.top = "admin_tokens: [" + publishedToken(w.T) + "]" }, want: []string{"token-guessable"},
		},
		"no token": {after: func(w *ward) { w.top = "" }, want: []string{"token-missing"}},
		"a tokens file that everybody can read": {
			after: func(w *ward) {
				path := filepath.Join(w.TempDir(), "tokens")
				if err := os.WriteFile(path, []byte("mR7vT2kQ9xB4nL6wY1zC\n"), 0o644); err != nil { //nolint:gosec // the fault
					w.Fatal(err)
				}
				w.top = "admin_tokens_file: '" + path + "'"
			}, want: []string{"configuration"},
		},
		"a dead Redis":     {after: func(w *ward) { w.redis.Kill() }, want: []string{"cache-unreachable"}},
		"a wrong password": {after: func(w *ward) { w.redisDo("config", "set", "requirepass", "other") }, want: []string{"cache-unreachable"}},
		"a replica": {
			after: func(w *ward) {
				w.putNote(presence.Note{ID: "x", Role: "frontend"}) // a copier's has vanished, as none is renewed
				w.redisDo("replicaof", "127.0.0.1", "1")
			}, want: []string{"cache-replica"},
		},
		"a Redis that fills": {after: func(w *ward) { w.redisDo("config", "set", "maxmemory", "64mb") }, want: []string{"cache-eviction"}},
		"front ends without a copier": {
			after: func(w *ward) { w.putNote(presence.Note{ID: "x", Role: "frontend"}) }, want: []string{"no-copier"},
		},
		"a copier of another backend": {
			after: func(w *ward) { w.putNote(presence.Note{ID: "x", Role: "copier", CopiesTo: []string{"s3/eu-west-2"}}) },
			want:  []string{"no-copier"},
		},
		"a copier is no fault": {
			after: func(w *ward) { w.putNote(presence.Note{ID: "x", Role: "copier", CopiesTo: []string{"s3/eu-west-1"}}) },
		},
		"a flush is no fault": {after: func(w *ward) { w.redisDo("flushdb") }},
		"a user who may not track": {
			after: func(w *ward) { w.allowUser("~*", "&*", "+@all", "-client|tracking") }, want: []string{"cache-tracking"},
		},
		"a user without channels": {
			after: func(w *ward) { w.allowUser("~*", "resetchannels", "+@all") }, want: []string{"cache-tracking"},
		},
		"a user who may only read": {
			after: func(w *ward) { w.allowUser("~*", "&*", "+@all", "-@write") }, want: []string{"cache-unwritable"},
		},
		"a user who may run no scripts": {
			after: func(w *ward) { w.allowUser("~*", "&*", "+@all", "-@scripting") }, want: []string{"cache-unwritable"},
		},
		"a user with the mark but without entries": {
			after: func(w *ward) { w.allowUser("~cloudmirror:deployment", "&*", "+@all") }, want: []string{"cache-unwritable"},
		},
		"a Redis that takes no writes": {
			after: func(w *ward) { w.redisDo("config", "set", "min-replicas-to-write", "1") }, want: []string{"cache-unwritable"},
		},
		"a user who may not ask for the version is no fault": {
			after: func(w *ward) { w.allowUser("~*", "&*", "+@all", "-info") },
		},
		"a user who may do what is needed, and no more, is no fault": {
			after: func(w *ward) {
				w.allowUser("~cloudmirror:*", "&cloudmirror:*", "+get", "+set", "+del", "+time", "+eval", "+evalsha", "+client|tracking", "+subscribe", "+info", "+ping", "+hello")
			},
		},
		"a clock that is slow": {
			after: func(w *ward) { w.now = func() time.Time { return time.Now().Add(-10 * time.Minute) } }, want: []string{"clock-apart"},
		},
		"a queue that is missing": {
			after: func(w *ward) {
				w.queue += ", create: false"
				w.queues.DeleteQueue("cloudmirror-s3-eu-west-1")
			}, want: []string{"queue-missing"},
		},
		"dead letters that are missing": {
			after: func(w *ward) { w.queues.DeleteQueue("cloudmirror-s3-eu-west-1-dead") },
			want:  []string{"dead-letters-missing", "queue-differs", "queue-unreachable"}, // no redrive, no count
		},
		"a queue without redrive policy": {
			after: func(w *ward) { w.setQueue("RedrivePolicy", "") }, want: []string{"queue-differs"},
		},
		"a queue with another visibility": {
			after: func(w *ward) { w.setQueue("VisibilityTimeout", "3") }, want: []string{"queue-differs"},
		},
		"a queue that holds jobs back": {
			after: func(w *ward) { w.setQueue("DelaySeconds", "600") }, want: []string{"queue-differs"},
		},
		"a queue that takes short messages only": {
			after: func(w *ward) { w.setQueue("MaximumMessageSize", "1024") }, want: []string{"queue-differs"},
		},
		"dead letters": {
			after: func(w *ward) {
				_, err := w.sqs.SendMessage(w.Context(), &sqs.SendMessageInput{
					QueueUrl: w.queueURL("cloudmirror-s3-eu-west-1-dead"), MessageBody: aws.String("a letter"),
				})
				if err != nil {
					w.Fatal(err)
				}
			}, want: []string{"letters-waiting"},
		},
		"an SQS that does not answer": {
			after: func(w *ward) { w.queue = "endpoint: 'http://127.0.0.1:" + servers.FreePort(w.T) + "'" },
			want:  []string{"dead-letters-unreachable", "queue-unreachable"},
		},
		"another deployment on the Redis": {
			before: func(w *ward) {
				own := w.queue
				w.queue += ", prefix: others-"
				w.provision()
				_, _ = w.s3.Client().DeleteBucketPolicy(w.Context(), &s3.DeleteBucketPolicyInput{Bucket: &w.bucket})
				w.queue = own
			},
			want: []string{"cache-shared", "client-access-missing", "copy-head", "copy-unreadable", "dead-letters-missing", "queue-missing"},
		},
		"another deployment on queues and bucket": {
			before: func(w *ward) { w.provisionAs("others:") },
			want:   []string{"client-access-shared", "queue-shared"},
		},
		"a bucket that is missing": {
			after: func(w *ward) {
				w.storage = strings.Replace(w.storage, w.bucket, w.bucket+"x", 1)
			}, want: []string{"bucket-missing"},
		},
		"a wrong secret": {
			after: func(w *ward) { w.Setenv("AWS_SECRET_ACCESS_KEY", "wrong") }, want: []string{"bucket-unreachable"},
		},
		"a bucket that clients cannot read": {
			after: func(w *ward) {
				if _, err := w.s3.Client().DeleteBucketPolicy(w.Context(), &s3.DeleteBucketPolicyInput{Bucket: &w.bucket}); err != nil {
					w.Fatal(err)
				}
			}, want: []string{"client-access-missing", "copy-head", "copy-unreadable"},
		},
		"a bucket that shows everything": {
			after: func(w *ward) { w.editPolicy("/0*", "/*") }, want: []string{"client-access-differs", "private-readable"},
		},
		"a bucket that everybody may list": {
			after: (*ward).letEverybodyList, want: []string{"copies-listable"},
		},
		"signatures for what is public": {
			after: func(w *ward) { w.storage += ", presign: true" }, want: []string{"client-access-differs", "copies-public"},
		},
		"a public URL where nothing is": {
			after: func(w *ward) {
				w.storage += ", access: public, public_url: 'http://127.0.0.1:" + servers.FreePort(w.T) + "'"
			}, want: []string{"copy-head", "copy-unreadable"},
		},
		"a public URL that shows something else": {
			after: func(w *ward) { w.storage += ", access: public, public_url: '" + somethingElse(w.T) + "'" },
			// It answers anything, a sidecar too.
			want: []string{"copy-wrong", "private-readable"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, server)
			if test.before != nil {
				test.before(w)
			} else {
				w.provision()
			}
			if test.after != nil {
				test.after(w)
			}
			want := append([]string{}, test.want...)
			if !slices.ContainsFunc(want, func(id string) bool { return strings.HasPrefix(id, "bucket-") }) {
				want = append(want, "lifecycle-manual") // versitygw has no rules
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, w.diagnose()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// letEverybodyList adds to the bucket's policy.
func (w *ward) letEverybodyList() {
	w.Helper()
	w.editPolicy(`"Statement":[`, `"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::`+w.bucket+`"},`)
}

// publishedToken returns the token of deploy/compose, which is published.
func publishedToken(t *testing.T) string {
	t.Helper()
	c, err := os.ReadFile("../deploy/compose/cloudmirror.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, token, found := strings.Cut(string(c), "admin_tokens: [")
	if token, _, _ = strings.Cut(token, "]"); !found || token == "" {
		t.Fatal("deploy/compose/cloudmirror.yaml has no token")
	}
	return token
}

// somethingElse is a web server that answers everything alike.
func somethingElse(t *testing.T) string {
	t.Helper()
	return serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") })
}

// serveHTTP returns the URL of a web server.
func serveHTTP(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Shutdown(context.WithoutCancel(t.Context())); <-done })
	return "http://" + listener.Addr().String()
}

// TestDoctorWithACopiersCredentials looks as provisioning.md recommends: what a
// copier may not look at is no error, and the rest is looked at.
func TestDoctorWithACopiersCredentials(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.provision()
	w.queues.Inject("ListQueueTags", 1, sqstest.Fault{Code: "AccessDeniedException"})
	w.refuse(func(r *http.Request) bool {
		query := r.URL.Query()
		return query.Has("policy") || query.Has("publicAccessBlock") || query.Has("lifecycle") || query.Has("cors")
	})
	got := make(map[string]string)
	err := app.Diagnose(t.Context(), w.config(), w.now, func(f doctor.Finding) { got[f.Subject] = string(f.ID) })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"configuration": "looked", "service s3": "looked", "cache " + w.redis.Addr(): "looked", "cache cloudmirror:": "looked",
		"dead-letters cloudmirror-s3-eu-west-1-dead": "looked", "queue cloudmirror-s3-eu-west-1": "queue-denied", "queue of s3/eu-west-1": "looked",
		"bucket " + w.bucket: "looked", "client-access " + w.bucket: "client-access-denied", "lifecycle " + w.bucket: "lifecycle-denied",
		"cors " + w.bucket:       "looked", // nothing is needed of it
		"copies of s3/eu-west-1": "looked",
		"copiers":                "no-copier", // as an info: nothing was started yet
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestDoctorSaysWhatItCouldNotRemove, whatever else is wrong with the copies.
func TestDoctorSaysWhatItCouldNotRemove(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.provision()
	w.letEverybodyList()
	w.refuse(func(r *http.Request) bool { return r.Method == http.MethodDelete })
	var found []doctor.ID
	err := app.Diagnose(t.Context(), w.config(), w.now, func(f doctor.Finding) {
		if f.Subject == "copies of s3/eu-west-1" {
			found = append(found, f.ID)
		}
	})
	if diff := cmp.Diff([]doctor.ID{doctor.CopiesListable, doctor.CopyUnremoved}, found); diff != "" || err != nil {
		t.Errorf("error %v, findings (-want +got):\n%s", err, diff)
	}
}

// TestDoctorThatIsInterruptedLeavesNothing ends it while it reads its trial copy.
func TestDoctorThatIsInterruptedLeavesNothing(t *testing.T) {
	w := newWard(t, servers.StartVersityGW(t, "eu-west-1"))
	w.provision()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	before := w.traces()
	w.storage += ", access: public, public_url: '" + serveHTTP(t, func(http.ResponseWriter, *http.Request) { interrupt() }) + "'"
	var last doctor.Finding
	err := app.Diagnose(ctx, w.config(), w.now, func(f doctor.Finding) { last = f })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if last.Subject != "queue of s3/eu-west-1" {
		t.Errorf("after the interrupt it told %+v", last)
	}
	if diff := cmp.Diff(before, w.traces()); diff != "" {
		t.Errorf("it left something behind (-before +after):\n%s", diff)
	}
}

// TestDoctorOnMinIO looks at what versitygw has not: lifecycle rules.
func TestDoctorOnMinIO(t *testing.T) {
	if os.Getenv("CLOUDMIRROR_MINIO") != "1" {
		t.Skip("lifecycle rules are looked at on minio only, which CI has in a step of its own: CLOUDMIRROR_MINIO=1")
	}
	server := servers.StartMinIO(t, "eu-west-1")
	for name, test := range map[string]struct {
		after func(*ward)
		want  []string
	}{
		"a healthy deployment": {},
		"no lifecycle rule": {
			func(w *ward) {
				if _, err := w.s3.Client().DeleteBucketLifecycle(w.Context(), &s3.DeleteBucketLifecycleInput{Bucket: &w.bucket}); err != nil {
					w.Fatal(err)
				}
			}, []string{"lifecycle-missing"},
		},
		"a lifecycle rule that is too short for the ttl": {
			func(w *ward) { w.service += "\n    ttl: 240h" }, []string{"lifecycle-differs"},
		},
		"a lifecycle rule of others that removes copies too soon": {
			func(w *ward) { w.addRule("theirs", 1) }, []string{"lifecycle-manual"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, server)
			w.provision()
			if again := w.provision(); slices.ContainsFunc(again, func(a provision.Action) bool { return a != provision.OK }) {
				t.Errorf("provisioned again: %v", again)
			}
			if test.after != nil {
				test.after(w)
			}
			if got := w.diagnose(); !slices.Equal(got, test.want) {
				t.Errorf("findings %v, want %v", got, test.want)
			}
		})
	}
}

func (w *ward) addRule(id string, days int32) {
	w.Helper()
	client := w.s3.Client()
	out, err := client.GetBucketLifecycleConfiguration(w.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: &w.bucket})
	if err != nil {
		w.Fatal(err)
	}
	rule := out.Rules[0]
	rule.ID, rule.Expiration = &id, &types.LifecycleExpiration{Days: &days}
	_, err = client.PutBucketLifecycleConfiguration(w.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &w.bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: append(out.Rules, rule)},
	})
	if err != nil {
		w.Fatal(err)
	}
}
