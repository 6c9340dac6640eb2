package runbook_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudmirror/queue/sqsqueue/sqstest"
	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

const (
	token     = "a-token-of-the-tests"
	near      = "eu-west-1" // the region that the page's examples name
	far       = "us-east-1"
	waitLimit = 60 * time.Second
)

// A site is the deployment that the page's commands are run against: a front end, a
// copier, Redis, SQS, and the S3 of two regions. It stands in for systemd as well.
type site struct {
	t       *testing.T
	dir     string // what the page calls /etc is below it
	front   string // URL
	admin   string // URL at which the copier serves its metrics
	redis   *servers.Redis
	queues  string                 // URL of SQS
	s3      map[string]*servers.S3 // by region
	buckets map[string]string      // by region
	origin  *origin
	units   map[string]*servers.Process // by the name of their unit
	disk    *disk                       // nil: none yet
	calls   chan call
	control string // URL at which the stand-ins for systemctl and journalctl ask
}

// A call is one of systemctl or journalctl, which the test's own goroutine answers.
type call struct {
	args   []string
	answer chan error
}

func startSite(t *testing.T, queues string) *site {
	t.Helper()
	s := &site{
		t: t, dir: t.TempDir(), redis: servers.StartRedis(t), queues: queues, origin: startOrigin(t),
		s3: make(map[string]*servers.S3), buckets: make(map[string]string), units: make(map[string]*servers.Process), calls: make(chan call),
	}
	for _, region := range []string{near, far} {
		s.s3[region] = servers.StartVersityGW(t, region)
		s.buckets[region] = s.s3[region].CreateBucket(t, "")
	}
	s.front = "http://127.0.0.1:" + servers.FreePort(t)
	s.admin = "http://127.0.0.1:" + servers.FreePort(t)
	s.writeFile("etc/cloudmirror/cloudmirror.yaml", s.config())
	s.writeFile("etc/cloudmirror/tokens", "ci-1:"+token+"\n")
	s.writeFile("etc/cloudmirror/secrets.env", strings.Join(lab.AWSEnv(), "\n")+"\n")
	// The page says how front ends read the file itself.
	s.writeFile("etc/systemd/system/cloudmirror-frontend.service.d/tokens.conf", "[Service]\nLoadCredential=\n")
	server := httptest.NewServer(http.HandlerFunc(s.serveControl))
	t.Cleanup(server.Close)
	s.control = server.URL
	for _, program := range []string{"systemctl", "journalctl"} {
		s.writeFile("bin/"+program, "#!/bin/sh\nexec curl -fsS --get --data-urlencode \"args=$*\" "+s.control+"/\n")
		if err := os.Chmod(s.path("bin/"+program), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.restart("cloudmirror-frontend")
	s.restart("cloudmirror-copier")
	return s
}

// startQueues starts an SQS server, and returns its URL: moto, or our own where that
// cannot be installed.
func startQueues(t *testing.T) string {
	t.Helper()
	if os.Getenv("CLOUDMIRROR_WITHOUT_MOTO") != "1" {
		return servers.StartMoto(t).Endpoint
	}
	server := httptest.NewServer(sqstest.New(sqstest.Options{}))
	t.Cleanup(server.Close)
	return server.URL
}

func (s *site) config() string {
	service := lab.Service{Name: "s3", Allow: lab.AllowOrigin(s.origin.url), Lines: []string{"wait: 2s"}}
	for _, region := range []string{near, far} {
		service.Backends = append(service.Backends, [2]string{region, s.s3[region].Storage(s.buckets[region])})
	}
	return lab.Config{Services: []lab.Service{service}, Lines: []string{
		"listen: " + strings.TrimPrefix(s.front, "http://"),
		"admin_tokens_file: '" + s.path("etc/cloudmirror/tokens") + "'",
		lab.RedisCache(s.redis.Addr()),
		lab.SQSQueue(s.queues, "prefix: site-"+s.front[strings.LastIndexByte(s.front, ':')+1:]+"-", "visibility: 4s"),
		"copier: {part_size: 5MiB, memory: 64MiB, grace: 1s}",
		"health: {interval: 200ms, timeout: 200ms}",
	}}.String()
}

// path returns the path of what the page calls by this name, without its first slash.
func (s *site) path(name string) string { return s.dir + "/" + name }

func (s *site) writeFile(name, content string) {
	s.t.Helper()
	file := s.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// restart does what systemctl does for a unit of the page.
func (s *site) restart(unit string) {
	s.t.Helper()
	if p := s.units[unit]; p != nil && strings.HasPrefix(unit, "cloudmirror") {
		p.Continue() // a frozen process cannot end in order
		p.Terminate()
	}
	config := s.path("etc/cloudmirror/cloudmirror.yaml")
	switch unit {
	case "cloudmirror-frontend":
		s.units[unit] = servers.Start(s.t, lab.Answers(s.front+"/readyz"), s.environment(unit), binary, "frontend", "--config", config)
	case "cloudmirror-copier":
		listen := "CLOUDMIRROR_ADMIN_LISTEN=" + strings.TrimPrefix(s.admin, "http://")
		s.units[unit] = servers.Start(s.t, lab.Answers(s.admin+"/readyz"), append(s.environment(unit), listen), binary, "copier", "--config", config)
	case "cloudmirror":
		s.writeFile("etc/cloudmirror/disk.yaml", s.diskConfig())
		s.units[unit] = servers.Start(s.t, lab.Answers(s.disk.front+"/readyz"), nil, binary, "serve", "--config", s.path("etc/cloudmirror/disk.yaml"))
	case "redis-server":
		s.redis.Kill()
		s.redis.Restart()
	case "storage":
		s.s3[near].Kill()
		s.s3[near].Restart()
	default:
		s.t.Fatalf("the page restarts %q, which this site does not have", unit)
	}
}

// environment returns the variables of a unit: those of the secrets, and of the
// files that the page adds to the unit.
func (s *site) environment(unit string) []string {
	s.t.Helper()
	env := s.lines(s.path("etc/cloudmirror/secrets.env"))
	for _, line := range s.dropIns(unit) {
		if setting, ok := strings.CutPrefix(line, "Environment="); ok {
			env = append(env, strings.Trim(setting, `"`))
		}
	}
	return env
}

// dropIns returns the lines of the files that the page and the tests add to a unit.
func (s *site) dropIns(unit string) (lines []string) {
	s.t.Helper()
	files, err := filepath.Glob(s.path("etc/systemd/system/" + unit + ".service.d/*.conf"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		lines = append(lines, s.lines(file)...)
	}
	return lines
}

func (s *site) lines(file string) []string {
	s.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// serveControl passes what systemctl and journalctl are asked on to the test.
func (s *site) serveControl(w http.ResponseWriter, r *http.Request) {
	c := call{strings.Fields(r.URL.Query().Get("args")), make(chan error, 1)}
	select {
	case s.calls <- c:
	case <-r.Context().Done():
		return
	}
	if err := <-c.answer; err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch c.args[0] {
	case "-u":
		fmt.Fprint(w, s.units[c.args[1]].Output())
	case "cat":
		fmt.Fprint(w, strings.Join(append(s.lines("../../deploy/systemd/"+c.args[1]+".service"), s.dropIns(c.args[1])...), "\n")+"\n")
	}
}

// answer does what a call wants.
func (s *site) answer(c call) {
	args := strings.Join(c.args, " ")
	verb, unit, _ := strings.Cut(args, " ")
	switch {
	case args == "daemon-reload", verb == "cat":
	case verb == "restart":
		s.restart(unit)
	case verb == "-u":
		if s.units[c.args[1]] == nil {
			c.answer <- fmt.Errorf("no unit %q", c.args[1])
			return
		}
	default:
		c.answer <- errors.New("nothing is known here of " + args)
		return
	}
	c.answer <- nil
}

// eventually waits until a condition holds that nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !holds() && !soon(waitLimit, holds) {
		t.Fatalf("in %v it did not happen that %s", waitLimit, what)
	}
}

// soon reports whether a condition comes to hold within a time.
func soon(limit time.Duration, holds func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if holds() {
				return true
			}
		case <-deadline:
			return false
		}
	}
}

// An origin has an object at every path: the path itself, unless a handler is set.
type origin struct {
	url string

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
}

func startOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{handlers: make(map[string]http.HandlerFunc)}
	server := httptest.NewServer(o)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	o.url = server.URL
	return o
}

func (o *origin) set(path string, h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handlers[path] = h
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	h := o.handlers[r.URL.Path]
	o.mu.Unlock()
	if h != nil {
		h(w, r)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(r.URL.Path)))
	fmt.Fprint(w, r.URL.Path)
}
