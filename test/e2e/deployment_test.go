package e2e_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cloudmirror"
	"cloudmirror/origin/origintest"
	"cloudmirror/test/lab"
	"cloudmirror/test/servers"
)

const (
	token     = "a-token-of-the-tests"
	region    = "eu-west-1"
	waitLimit = 60 * time.Second
)

// Parts are the servers that a test's deployments share. Nil: not needed.
type parts struct {
	redis *servers.Redis
	moto  *servers.Moto
	s3    *servers.S3
}

// A deployment is a configuration, its processes, and an origin.
type deployment struct {
	t         *testing.T
	parts     parts
	origin    *origintest.Server
	config    string   // path of the file
	frontends []string // base URLs
	prefix    string   // of its keys in Redis
	env       []string
}

// newDeployment writes the configuration for the given kinds of parts; "s3, key: x" is
// S3 with more keys of the storage. Its service is e2e, with what the test adds.
func newDeployment(t *testing.T, p parts, cacheType, queueType, storageType string, serviceKeys ...string) *deployment {
	t.Helper()
	id := cloudmirror.NewID()
	d := &deployment{t: t, parts: p, origin: origintest.Start(t), prefix: id + ":", env: lab.AWSEnv()}
	dir := t.TempDir()
	cache := "cache: {type: memory}"
	if cacheType == "redis" {
		cache = lab.RedisCache(p.redis.Addr(), "prefix: '"+d.prefix+"'")
	}
	queue := "queue: {type: memory}"
	if queueType == "sqs" {
		queue = lab.SQSQueue(p.moto.Endpoint, "prefix: '"+id[:10]+"-'", "visibility: 10s")
	}
	storage := "{type: file}"
	if storageType != "file" {
		storage = p.s3.Storage(p.s3.CreateBucket(t, ""), strings.Split(storageType, ", ")[1:]...)
	}
	text := lab.Config{
		Lines: []string{
			"data_dir: '" + filepath.Join(dir, "data") + "'",
			"admin_tokens: ['" + token + "']",
			cache, queue,
			"copier: {part_size: 5MiB, memory: 64MiB, grace: 5s}",
		},
		Services: []lab.Service{{Name: "e2e", Allow: lab.AllowOrigin(d.origin.URL), Lines: serviceKeys, Backends: [][2]string{{region, storage}}}},
	}.String()
	d.config = filepath.Join(dir, "cloudmirror.yaml")
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// start runs a process of the deployment and waits until it is ready.
func (d *deployment) start(role string) *servers.Process {
	d.t.Helper()
	address := "127.0.0.1:" + servers.FreePort(d.t)
	listen := "CLOUDMIRROR_LISTEN="
	if role == "copier" {
		listen = "CLOUDMIRROR_ADMIN_LISTEN="
	}
	p := servers.Start(d.t, lab.IsReady(address), append([]string{listen + address}, d.env...), binary, role, "--config", d.config)
	if role != "copier" {
		d.frontends = append(d.frontends, "http://"+address)
	}
	return p
}

// awaitCopies waits until the deployment copies at all: the first use of a slow
// SQS server takes longer than a client should wait for it.
func (d *deployment) awaitCopies() {
	d.t.Helper()
	d.eventually("a first object is copied", func() bool { return d.isCopy(d.get("/first?size=10")) })
}

// An answer is what a client got of one request.
type answer struct {
	status   int
	header   http.Header
	body     string
	location string
}

// client follows no redirects.
func client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * waitLimit,
	}
}

func (d *deployment) send(method, url string, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(d.t.Context(), method, url, nil)
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := client().Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), response.Header.Get("Location")}, err
}

// must sends a request that has to be answered.
func (d *deployment) must(method, url string, header http.Header) answer {
	d.t.Helper()
	a, err := d.send(method, url, header)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

// redirectURL returns how a client asks the i-th front end for an object.
func (d *deployment) redirectURL(i int, path string) string {
	o := d.origin.Object(d.t, path)
	return o.RedirectURL(d.frontends[i%len(d.frontends)], cloudmirror.BackendID{Service: "e2e", Region: region})
}

// get asks for an object as a client does, without following.
func (d *deployment) get(path string) answer {
	d.t.Helper()
	return d.must(http.MethodGet, d.redirectURL(0, path), nil)
}

// admin sends a request of an operator about an object.
func (d *deployment) admin(method, endpoint, path string) answer {
	d.t.Helper()
	url := d.frontends[0] + "/v1/" + endpoint + "/e2e/" + region + "/" + d.origin.Object(d.t, path).Target()
	return d.must(method, url, http.Header{"Authorization": {"Bearer " + token}})
}

// isCopy reports whether a client is sent to a copy, and not to the origin.
func (d *deployment) isCopy(a answer) bool {
	return a.status == http.StatusFound && a.location != "" && !strings.HasPrefix(a.location, d.origin.URL)
}

// fetch asks for an object and follows to its copy, whose answer it returns. It
// fails the test if the client is sent anywhere else.
func (d *deployment) fetch(path string) answer {
	d.t.Helper()
	a := d.get(path)
	if !d.isCopy(a) {
		d.t.Fatalf("GET %s: %d to %q (%s) %s, want a redirect to the copy", path, a.status, a.location, a.header.Get("Cache-Status"), a.body)
	}
	return d.must(http.MethodGet, a.location, nil)
}

func (d *deployment) redisClient() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: d.parts.redis.Addr()})
	d.t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits until a condition holds that nothing announces.
func (d *deployment) eventually(what string, holds func() bool) {
	d.t.Helper()
	deadline := time.After(waitLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatalf("in %v it did not happen that %s", waitLimit, what)
		}
	}
}
