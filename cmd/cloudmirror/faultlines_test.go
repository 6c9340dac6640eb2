package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudmirror/config"
	"cloudmirror/origin/origintest"
	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/servers"
)

// denial is how AWS refuses a role that lacks a permission.
const denial = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::123456789012:assumed-role/cloudmirror-copier-eu-west-1/i-0123456789abcdef0 is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::cloudmirror-copies-eu-west-1/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/0/file" because no identity-based policy allows the s3:PutObject action</Message><RequestId>REQUESTID</RequestId><HostId>HOSTID</HostId></Error>`

// A faultyWorld is a server with a backend for each fault of a storage.
type faultyWorld struct {
	t      *testing.T
	redis  *servers.Redis
	sqs    *httptest.Server
	origin *origintest.Server
	config string // the file
	env    []string

	refused, closed string // addresses at which nothing listens: a storage's, an origin's
	tls             string
}

func newFaultyWorld(t *testing.T) *faultyWorld {
	s3, redis := servers.StartVersityGW(t, "eu-west-1"), servers.StartRedis(t)
	denies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, denial)
	}))
	t.Cleanup(denies.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	w := &faultyWorld{
		t: t, redis: redis, sqs: httptest.NewServer(sqstest.New(sqstest.Options{})), origin: origintest.Start(t),
		refused: "127.0.0.1:" + servers.FreePort(t), closed: "127.0.0.1:" + servers.FreePort(t),
		tls: secure.Listener.Addr().String(), config: filepath.Join(t.TempDir(), "faults.yaml"),
		env: append(os.Environ(), asProgram+"=1", "AWS_ACCESS_KEY_ID="+s3.AccessKey, "AWS_SECRET_ACCESS_KEY="+s3.SecretKey),
	}
	t.Cleanup(w.sqs.Close)
	var backends strings.Builder
	for region, endpoint := range map[string]string{
		"good": s3.Endpoint, "nobucket": s3.Endpoint, "denied": denies.URL,
		"refused": "http://" + w.refused, "dns": "http://storage.invalid", "tls": secure.URL,
	} {
		bucket := "no-such-bucket"
		if region == "good" {
			bucket = s3.CreateBucket(t, "")
		}
		fmt.Fprintf(&backends, "      %s: {storage: {type: s3, bucket: %s, region: eu-west-1, endpoint: %q, path_style: true}}\n", region, bucket, endpoint)
	}
	write(t, w.config, fmt.Sprintf(`listen: 127.0.0.1:0
cache: {type: redis, redis: {url: "redis://%s"}}
queue: {type: sqs, sqs: {endpoint: %q}}
health: {interval: 0s}
services:
  s3:
    allow: ['^http://']
    allow_addresses: [127.0.0.0/8]
    ports: []
    wait: 1s
    backends:
%s`, redis.Addr(), w.sqs.URL, backends.String()))
	return w
}

// A faultyServer is a process of that world. It hands over the lines of its log.
type faultyServer struct {
	*faultyWorld
	lines *bufio.Scanner
	log   strings.Builder
	url   string
}

func (w *faultyWorld) start(ctx context.Context, format config.LogFormat) *faultyServer {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	command := exec.CommandContext(ctx, self, "serve", "--config", w.config)
	command.Env = slices.Concat(w.env, []string{"CLOUDMIRROR_LOG_FORMAT=" + string(format), "CLOUDMIRROR_LOG_LEVEL=debug"})
	stderr, err := command.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	s := &faultyServer{faultyWorld: w, lines: bufio.NewScanner(stderr)}
	s.await(`"?status"?: ?"http://`)
	s.url = regexp.MustCompile(`http://127.0.0.1:[0-9]+/status`).FindString(s.log.String())
	s.url = strings.TrimSuffix(s.url, "/status")
	return s
}

// await reads the log until a line above the level debug matches each expression.
func (s *faultyServer) await(expressions ...string) {
	s.t.Helper()
	missing := make(map[string]*regexp.Regexp)
	for _, e := range expressions {
		missing[e] = regexp.MustCompile(e)
	}
	for len(missing) > 0 {
		if !s.lines.Scan() {
			s.t.Fatalf("the log ends without %q:\n%s", missing, s.log.String())
		}
		line := s.lines.Text()
		s.log.WriteString(line + "\n")
		if strings.Contains(line, "\tDEBUG\t") || strings.Contains(line, `"level":"debug"`) {
			continue
		}
		for name, e := range missing {
			if e.MatchString(line) {
				delete(missing, name)
			}
		}
	}
}

// ask asks for an object of an origin in a region.
func (s *faultyServer) ask(region, object string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/v1/redirect/s3/"+region+"/"+object, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		s.t.Error(err)
		return
	}
	response.Body.Close()
}

// TestLinesOfRealFaultsAreShort has each dependency fail in the way that it fails in
// life, and looks at all that the process writes.
func TestLinesOfRealFaultsAreShort(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := newFaultyWorld(t)
			w.origin.Set("/gone", origintest.Behaviour{Status: http.StatusNotFound})
			s := w.start(ctx, format)
			at := func(address string) string {
				return `connection refused \(` + strings.ReplaceAll(address, ".", `\.`) + `\)`
			}
			s.await(`storage s3/refused.*`+at(w.refused), `storage s3/dns.*no such host: storage.invalid`,
				`storage s3/tls.*certificate signed by unknown authority \(`+w.tls+`\)`, `storage s3/denied.*AccessDenied.*; grant s3:List`,
				`storage s3/nobucket.*S3 [A-Za-z0-9]+: (NoSuchBucket|NotFound|status 404)`)

			s.ask("good", "http://"+w.closed+"/a")
			s.ask("good", w.origin.URL+"/gone")
			s.await(`(?i)info.*a copy failed.*`+at(w.closed), `(?i)info.*an object cannot be copied.*not found at the origin`)
			for i := range 6 {
				s.ask("refused", fmt.Sprintf("http://%s/%d", w.closed, i))
			}
			s.await(`(?i)warn.*a dependency fails and is not asked for a while.*` + at(w.refused))

			w.sqs.CloseClientConnections()
			w.sqs.Close()
			s.ask("good", "http://"+w.closed+"/b")
			s.await(`jobs cannot be received.*` + at(strings.TrimPrefix(w.sqs.URL, "http://")))
			w.redis.Kill()
			for i := range 6 {
				s.ask("good", fmt.Sprintf("http://%s/c%d", w.closed, i))
			}
			s.await(`dependency is down.*cache.*`+at(w.redis.Addr()), `not asked for a while.*`+at(w.redis.Addr()))

			checkLines(t, format, s.log.String())
			if n := strings.Count(s.log.String(), "the whole error of: "); n < 5 {
				t.Errorf("%d whole errors at debug", n)
			}
		})
	}
}
