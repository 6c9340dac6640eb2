package cloudmirror_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/test/servers"
)

// expectClause checks the clause of an error of a real client: it matches an
// expression, and is one short line.
func expectClause(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	got := cloudmirror.Clause(err)
	if !regexp.MustCompile("^(?:" + want + ")$").MatchString(got) {
		t.Errorf("the clause is\n%s, want\n%s; the error is\n%v", got, want, err)
	}
	if len(got) > cloudmirror.MaxClauseBytes || strings.Contains(got, "RequestID") || strings.Contains(got, "secret") {
		t.Errorf("the clause is %q", got)
	}
}

func closedPort(t *testing.T) string { return "127.0.0.1:" + servers.FreePort(t) }

func s3At(endpoint string, c aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: "eu-west-1", UsePathStyle: true, Credentials: c,
		RetryMaxAttempts: 1,
	})
}

func TestClauseOfS3(t *testing.T) {
	server := servers.StartVersityGW(t, "eu-west-1")
	bucket := server.CreateBucket(t, "")
	put := func(c *s3.Client, bucket string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("body")})
		return err
	}
	key := credentials.NewStaticCredentialsProvider(server.AccessKey, server.SecretKey, "")
	expectClause(t, put(server.AnonymousClient(), bucket), `S3 PutObject: AccessDenied`)
	expectClause(t, put(server.Client(), "no-such-bucket"), `S3 PutObject: NoSuchBucket: The specified bucket does not exist.?`)
	wrong := credentials.NewStaticCredentialsProvider(server.AccessKey, "wrongsecret", "")
	expectClause(t, put(s3At(server.Endpoint, wrong), bucket), `S3 PutObject: SignatureDoesNotMatch: .*`)
	_, err := server.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("nothing")})
	expectClause(t, err, `S3 HeadObject: NotFound`)
	_, err = server.AnonymousClient().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
	expectClause(t, err, `S3 HeadBucket: Forbidden`)

	closed := closedPort(t)
	expectClause(t, put(s3At("http://"+closed, key), bucket), `connection refused \(`+closed+`\)`)
	expectClause(t, put(s3At("http://storage.invalid", key), bucket), `no such host: storage.invalid`)
	expectClause(t, put(s3At("https://"+strings.TrimPrefix(server.Endpoint, "http://"), key), bucket), `.*HTTP response to HTTPS client \(127.0.0.1:[0-9]+\)`)
}

func TestClauseOfServersThatAreNotS3(t *testing.T) {
	key := credentials.NewStaticCredentialsProvider("key", "secretsecret", "")
	list := func(ctx context.Context, endpoint string, c aws.CredentialsProvider) error {
		_, err := s3At(endpoint, c).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("b")})
		return err
	}
	for status, want := range map[int]string{
		502: `S3 ListObjectsV2: status 502`, 404: `S3 ListObjectsV2: (status 404|NotFound)`, 200: `S3 ListObjectsV2: .*`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>\nno <b>S3\x00"))
		}))
		expectClause(t, list(t.Context(), server.URL, key), want)
		server.Close()
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	address := secure.Listener.Addr().String()
	expectClause(t, list(t.Context(), secure.URL, key), `certificate signed by unknown authority \(`+address+`\)`)

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	expectClause(t, list(ctx, "http://"+silent.Addr().String(), key), `no answer in time \(.+\)`)

	cutOff := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cutOff.Close()
	expectClause(t, list(t.Context(), cutOff.URL, key), `the connection was closed \(.+\)`)

	expectClause(t, list(t.Context(), "http://"+address, credentials.NewStaticCredentialsProvider("", "", "")), `S3 ListObjectsV2: static credentials are empty`)
	closed := closedPort(t)
	role := ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{Endpoint: "http://" + closed, Retryer: aws.NopRetryer{}})
	})
	expectClause(t, list(t.Context(), "http://"+address, role), `ec2imds .*: connection refused \(`+closed+`\)`)
}

func TestClauseOfSQS(t *testing.T) {
	server := servers.StartMoto(t)
	key := credentials.NewStaticCredentialsProvider("key", "secretsecret", "")
	receive := func(endpoint string) error {
		c := sqs.New(sqs.Options{BaseEndpoint: &endpoint, Region: "eu-west-1", Credentials: key, RetryMaxAttempts: 1})
		_, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(endpoint + "/123456789012/gone")})
		return err
	}
	expectClause(t, receive(server.Endpoint), `SQS ReceiveMessage: (AWS\.SimpleQueueService\.NonExistentQueue|QueueDoesNotExist): The specified queue does not exist.*`)
	closed := closedPort(t)
	expectClause(t, receive("http://"+closed), `connection refused \(`+closed+`\)`)
}

func TestClauseOfRedis(t *testing.T) {
	server := servers.StartRedis(t, "--requirepass", "secret")
	ping := func(o redis.Options) error {
		o.MaxRetries, o.DialerRetries = -1, 1
		c := redis.NewClient(&o)
		defer c.Close()
		return c.Set(t.Context(), "k", "v", 0).Err()
	}
	expectClause(t, ping(redis.Options{Addr: server.Addr()}), `NOAUTH .*`)
	expectClause(t, ping(redis.Options{Addr: server.Addr(), Password: "wrongsecret"}), `WRONGPASS .*`)
	replica := servers.StartRedis(t, "--replicaof", "127.0.0.1", servers.FreePort(t))
	expectClause(t, ping(redis.Options{Addr: replica.Addr()}), `READONLY You can't write against a read only replica.`)
	client := redis.NewClient(&redis.Options{Addr: replica.Addr()})
	defer client.Close()
	refused := client.Eval(t.Context(), "return redis.call('SET', KEYS[1], 1)", []string{"k"}).Err()
	expectClause(t, refused, `READONLY You can't write against a read only replica.`)
	server.Kill()
	expectClause(t, ping(redis.Options{Addr: server.Addr()}), `connection refused \(`+server.Addr()+`\)`)
	expectClause(t, ping(redis.Options{Addr: "redis.invalid:6379"}), `no such host: redis.invalid`)
}

func TestClauseOfFilesAndAddresses(t *testing.T) {
	_, err := os.Open("/no/such/file")
	expectClause(t, err, `open /no/such/file: no such file or directory`)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = net.Listen("tcp", taken.Addr().String())
	expectClause(t, err, `address already in use \(`+taken.Addr().String()+`\)`)
}
