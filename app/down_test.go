package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"

	"cloudmirror/app"
	"cloudmirror/config"
	"cloudmirror/origin/origintest"
	"cloudmirror/presence"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// A deployment is everything in one process, in front of one origin.
type deployment struct {
	*testing.T
	app    *app.App
	front  string
	origin *origintest.Server
	asked  int
}

// deploy starts a deployment of a configuration, whose lines stand at the top, but
// for those of the service.
func deploy(t *testing.T, change func(*config.Config), lines ...string) *deployment {
	t.Helper()
	d := &deployment{T: t, origin: origintest.Start(t)}
	c := loadService(t, d.origin.URL, lines...)
	if change != nil {
		change(c)
	}
	a, stop := start(t, c)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	d.app, d.front = a, "http://"+a.Addresses()[0].String()
	return d
}

// ask asks for a new object, and returns what the answer says of it.
func (d *deployment) ask() string {
	d.Helper()
	d.asked++
	path := fmt.Sprintf("/new-%d?size=200000", d.asked)
	status, header, body := get(d.T, d.origin.Object(d.T, path).RedirectURL(d.front, backend))
	if status != http.StatusFound {
		d.Errorf("a new object: %d %s", status, body)
	}
	return header.Get("Cache-Status")
}

// check has the process check its dependencies now.
func (d *deployment) check() {
	d.Helper()
	d.app.CheckNow(d.Context())
}

// want waits until /readyz says of a dependency what a string in angle brackets
// stands for, or has the cause in its line; the metric and what other processes are
// told must agree.
func (d *deployment) want(name, cause string) {
	d.Helper()
	line, until := "", time.Now().Add(patience)
	for {
		_, _, ready := get(d.T, d.front+"/readyz")
		_, line, _ = strings.Cut(ready, "\n"+name+": ")
		line, _, _ = strings.Cut(line, "\n")
		if line == cause || cause != "ok" && strings.Contains(line, cause) {
			break
		}
		if time.Now().After(until) {
			d.Fatalf("%s: %q, want %q", name, line, cause)
		}
	}
	d.Logf("%s: %s", name, line)
	kind, id, _ := strings.Cut(name, " ")
	service, region, _ := strings.Cut(id, "/")
	value := map[bool]string{true: "1", false: "0"}[cause == "ok"]
	sample := fmt.Sprintf("\ncloudmirror_dependency_up{dependency=%q,region=%q,service=%q} %s\n", kind, region, service, value)
	if _, _, metrics := get(d.T, d.front+"/metrics"); !strings.Contains(metrics, sample) {
		d.Errorf("the metrics lack %s", sample)
	}
	told := presence.Dependency{Name: name, Cause: line}
	if cause == "ok" {
		told.Cause = ""
	}
	for _, other := range d.app.Dependencies() {
		if other.Name == name && other != told {
			d.Errorf("others are told %+v, want %+v", other, told)
		}
	}
}

// Faults of a Redis that still answers reads.
func redisFaults(t *testing.T) map[string]struct {
	args        []string // of the server
	fault, mend func(*redis.Client) error
	cause       string
} {
	t.Helper()
	do := func(commands ...string) func(*redis.Client) error {
		return func(c *redis.Client) error {
			for _, command := range commands {
				var args []any
				for word := range strings.FieldsSeq(command) {
					args = append(args, word)
				}
				if err := c.Do(t.Context(), args...).Err(); err != nil {
					return fmt.Errorf("%s: %w", command, err)
				}
			}
			return nil
		}
	}
	gone := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	master := servers.StartRedis(t)
	return map[string]struct {
		args        []string
		fault, mend func(*redis.Client) error
		cause       string
	}{
		"a replica": {
			fault: do("replicaof " + strings.ReplaceAll(master.Addr(), ":", " ")), mend: do("replicaof no one"), cause: "READONLY",
		},
		"no memory left": {
			fault: do("config set maxmemory 1"), mend: do("config set maxmemory 0"), cause: "OOM command not allowed",
		},
		"no disk to save to": {
			args: []string{"--save", "3600 1000000", "--dir", gone},
			fault: func(c *redis.Client) error {
				if err := errors.Join(os.RemoveAll(gone), c.BgSave(t.Context()).Err()); err != nil {
					return err
				}
				return untilSaveFailed(t, c)
			},
			mend: do("config set stop-writes-on-bgsave-error no"), cause: "MISCONF",
		},
	}
}

func untilSaveFailed(t *testing.T, c *redis.Client) error {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if info, err := c.Info(t.Context(), "persistence").Result(); err != nil || strings.Contains(info, "rdb_last_bgsave_status:err") {
			return err
		}
	}
	return errors.New("saving did not fail")
}

// A Redis that answers and refuses writes is found before the first new object, and
// costs its client no wait.
func TestARedisThatRefusesWrites(t *testing.T) {
	for name, test := range redisFaults(t) {
		t.Run(name, func(t *testing.T) {
			server := servers.StartRedis(t, test.args...)
			client := redis.NewClient(&redis.Options{Addr: server.Addr()})
			defer client.Close()
			d := deploy(t, nil, fmt.Sprintf("cache: {type: redis, redis: {url: 'redis://%s/0'}}", server.Addr()))
			d.check()
			d.want("cache", "ok")
			if err := test.fault(client); err != nil {
				t.Fatal(err)
			}
			d.check()
			d.want("cache", test.cause)
			if got := d.ask(); !strings.HasPrefix(got, "cloudmirror; fwd=miss; detail=unavailable") {
				t.Errorf("a new object: %s", got)
			}
			if err := test.mend(client); err != nil {
				t.Fatal(err)
			}
			d.check()
			d.want("cache", "ok")
			if got := d.ask(); got != "cloudmirror; fwd=miss; stored" {
				t.Errorf("a new object, later: %s", got)
			}
		})
	}
}

// Between two checks, the claims of new objects tell.
func TestAClaimThatFailsIsSeenAtOnce(t *testing.T) {
	server := servers.StartRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	d := deploy(t, nil, fmt.Sprintf("cache: {type: redis, redis: {url: 'redis://%s/0'}}", server.Addr()))
	d.want("cache", "ok")
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	d.ask()
	d.want("cache", "write: OOM command not allowed")
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(); got != "cloudmirror; fwd=miss; stored" {
		t.Errorf("a new object, later: %s", got)
	}
	d.want("cache", "ok")
}

func TestAFailoverEndsInAHealthyCache(t *testing.T) {
	sentinel := servers.StartRedisSentinel(t)
	d := deploy(t, nil, fmt.Sprintf("cache: {type: redis, redis: {url: 'redis+sentinel://%s?master_name=%s'}}", sentinel.Addr(), servers.RedisMasterName))
	d.check()
	d.want("cache", "ok")
	sentinel.Failover(t)
	for until := time.Now().Add(patience); time.Now().Before(until); {
		d.check()
		if _, _, ready := get(t, d.front+"/readyz"); strings.Contains(ready, "\ncache: ok\n") {
			break
		}
	}
	d.want("cache", "ok")
	if got := d.ask(); got != "cloudmirror; fwd=miss; stored" {
		t.Errorf("a new object: %s", got)
	}
}

func TestABucketThatRefusesWrites(t *testing.T) {
	server := servers.StartVersityGW(t, "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	bucket := server.CreateBucket(t, "")
	d := deploy(t, func(c *config.Config) {
		c.Services[0].Backends[0].Storage = config.Storage{Type: config.StorageS3, Region: server.Region, Endpoint: server.Endpoint, PathStyle: true, Bucket: bucket}
	})
	const name = "storage s3/us-east-1"
	d.check()
	d.want(name, "ok")
	server.Kill()
	server.Restart("--readonly")
	d.check()
	d.want(name, "ok") // it cannot be known yet
	d.ask()
	d.want(name, "write: ")
	d.want(name, "AccessDenied")
	d.check()
	d.want(name, "AccessDenied")
	server.Kill()
	server.Restart()
	d.check()
	d.want(name, "ok")
	left, err := server.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(strings.Repeat("0", 64))})
	if err != nil || len(left.Contents) > 0 {
		t.Errorf("the check left %d objects, error %v", len(left.Contents), err)
	}
}

// mountSmall mounts a file system of 4 MiB, or skips the test loudly.
func mountSmall(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("NOT TESTED on a disk that is full: mount: %v; run it as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestADiskThatTakesNoFiles(t *testing.T) {
	for name, test := range map[string]struct {
		fault, mend func(dir string) error
		cause       string
	}{
		"full": {
			fault: func(dir string) error {
				err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 4<<20), 0o600)
				if errors.Is(err, syscall.ENOSPC) {
					return nil
				}
				return err
			},
			mend:  func(dir string) error { return os.Remove(filepath.Join(dir, "ballast")) },
			cause: "write: no space left on device",
		},
		"read-only": {
			fault: func(dir string) error {
				return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
			},
			mend:  func(dir string) error { return syscall.Mount("", dir, "", syscall.MS_REMOUNT, "") },
			cause: "write: read-only file system",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mountSmall(t)
			d := deploy(t, func(c *config.Config) { c.DataDir = filepath.Join(dir, "data") })
			const dependency = "storage s3/us-east-1"
			d.check()
			d.want(dependency, "ok")
			if err := test.fault(dir); err != nil {
				t.Fatal(err)
			}
			d.ask()
			d.want(dependency, test.cause)
			d.check()
			d.want(dependency, test.cause)
			if err := test.mend(dir); err != nil {
				t.Fatal(err)
			}
			d.check()
			d.want(dependency, "ok")
			if got := d.ask(); got != "cloudmirror; fwd=miss; stored" {
				t.Errorf("a new object, later: %s", got)
			}
		})
	}
}

// A queue may be counted and yet refuse jobs.
func TestAQueueThatRefusesJobs(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	queues, endpoint := sqstest.Start(t, sqstest.Options{})
	d := deploy(t, nil, fmt.Sprintf("queue: {type: sqs, sqs: {endpoint: '%s'}}", endpoint))
	const name = "queue s3/us-east-1"
	d.check()
	d.want(name, "ok")
	queues.Inject("SendMessageBatch", 1, sqstest.Fault{Code: "AccessDeniedException"})
	queues.Inject("SendMessage", 1, sqstest.Fault{Code: "AccessDeniedException"})
	d.ask()
	d.want(name, "send: ")
	d.check()
	d.want(name, "AccessDenied")
	for until := time.Now().Add(patience); d.ask() != "cloudmirror; fwd=miss; stored" && time.Now().Before(until); {
	}
	d.want(name, "ok")
}

func TestAQueueThatIsGone(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	moto := servers.StartMoto(t)
	client := sqs.New(sqs.Options{BaseEndpoint: &moto.Endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")})
	create := func() {
		for _, queue := range []string{"cloudmirror-s3-us-east-1-dead", "cloudmirror-s3-us-east-1"} {
			if _, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &queue}); err != nil {
				t.Fatal(err)
			}
		}
	}
	create()
	d := deploy(t, func(c *config.Config) { c.Queue.SQS.Create = false }, fmt.Sprintf("queue: {type: sqs, sqs: {endpoint: '%s'}}", moto.Endpoint))
	const name = "queue s3/us-east-1"
	d.check()
	d.want(name, "ok")
	url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("cloudmirror-s3-us-east-1")})
	if err == nil {
		_, err = client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: url.QueueUrl})
	}
	if err != nil {
		t.Fatal(err)
	}
	d.check()
	d.want(name, "does not exist")
	create()
	for until := time.Now().Add(2 * patience); time.Now().Before(until); { // the copier receives again after a back-off
		d.check()
		if _, _, ready := get(t, d.front+"/readyz"); strings.Contains(ready, "\n"+name+": ok\n") {
			break
		}
	}
	d.want(name, "ok")
}
