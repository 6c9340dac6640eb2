package frontend_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
	"cloudmirror/frontend"
	"cloudmirror/origin"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	content      = "the bytes of the object"
	originURL    = "https://origin.test/release/tool-1.0.tar.gz?signature=secret"
	publicURL    = "http://mirror.test"
	token        = "a token for tests"
	deploymentID = "cloudmirror-test"
)

var (
	east    = cloudmirror.BackendID{Service: "s3", Region: "us-east-1"}
	west    = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}
	errDown = errors.New("down for the test")
)

// A world is one deployment on memory and files, with the real engine, whose
// parts can be broken. The test plays the copier.
type world struct {
	t        testing.TB
	memory   *memcache.Store
	cache    *breakableCache
	near     *nearCache
	queues   map[cloudmirror.BackendID]*breakableQueue
	storages map[cloudmirror.BackendID]*breakableStorage
	engine   *engine.Engine
	registry *prometheus.Registry
	frontend *frontend.Frontend
}

// newWorld makes a world of service s3 with two regions; change may change the
// front end's options.
func newWorld(t testing.TB, change ...func(*frontend.Options)) *world {
	t.Helper()
	memory, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, memory: memory, cache: &breakableCache{Store: memory}, near: &nearCache{memory: memory}, registry: prometheus.NewRegistry(),
		queues:   make(map[cloudmirror.BackendID]*breakableQueue),
		storages: make(map[cloudmirror.BackendID]*breakableStorage),
	}
	o := frontend.Options{
		Registerer: w.registry, Logger: zap.NewNop(), DeploymentID: deploymentID, PublicURL: publicURL, Version: "1.2.3",
		Tokens: []cloudmirror.Token{tokenOf("", token)}, Objects: make(map[cloudmirror.BackendID]http.Handler),
		Health: text("healthy"), Ready: text("ready"), Metrics: text("metrics"),
	}
	s := frontend.Service{
		Rules: origin.Rules{Allow: []cloudmirror.AllowPattern{pattern(t, "^https://origin\\.test(:[0-9]+)?/")}, Ports: []uint16{80, 443}},
		Wait:  28 * time.Second,
	}
	var backends []engine.Backend
	for _, id := range []cloudmirror.BackendID{east, west} {
		files, err := filestore.New(filestore.Options{Dir: memoryDir(t), PublicURL: publicURL + "/objects/" + id.String()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { files.Close() })
		w.queues[id] = &breakableQueue{Queue: memqueue.New(memqueue.Options{})}
		w.storages[id] = &breakableStorage{Provider: files}
		o.Objects[id] = files.Handler()
		s.Backends = append(s.Backends, frontend.Backend{Region: id.Region, StorageLabel: "files", Queue: w.queues[id], DeadLetters: w.queues[id]})
		backends = append(backends, engine.Backend{ID: id, Storage: w.storages[id], Queue: w.queues[id], TTL: time.Hour, NegativeTTL: 30 * time.Second, Recheck: recheck})
	}
	w.engine = engine.New(engine.Options{Cache: w.cache, Near: w.near, Backends: backends, Logger: zap.NewNop()})
	t.Cleanup(w.engine.Close)
	o.Engine, o.Services = w.engine, map[string]frontend.Service{"s3": s}
	for _, c := range change {
		c(&o)
	}
	if w.frontend, err = frontend.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.frontend.Close)
	return w
}

// recheck is after how long the world looks again at copies.
const recheck = 10 * time.Minute

// A nearCache shows what is in memory, without the cache's faults, if it is on.
type nearCache struct {
	memory *memcache.Store
	isOn   atomic.Bool
}

func (n *nearCache) Recall(key cache.Key) (cache.Recalled, bool) {
	if !n.isOn.Load() {
		return cache.Recalled{}, false
	}
	at, err := n.memory.Get(context.Background(), key)
	return cache.Recalled{Entry: &at.Entry, Now: at.Now()}, err == nil && at.Entry.State == cache.Present
}

// RecallAny shows no absence.
func (n *nearCache) RecallAny(key cache.Key) (cache.Recalled, bool) { return n.Recall(key) }

func (n *nearCache) NoteAbsent(cache.Key, cache.Snapshot, cache.Entry) {}

// memoryDir returns a directory that is in memory where there is such a file
// system: a busy disk makes hundreds of small stores slow, which says nothing
// about a front end.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "frontend-test-") //nolint:usetesting // TempDir is on disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// withService changes the rules of service s3.
func withService(change func(*frontend.Service)) func(*frontend.Options) {
	return func(o *frontend.Options) {
		s := o.Services["s3"]
		change(&s)
		o.Services["s3"] = s
	}
}

// do answers one request.
func (w *world) do(r *http.Request) *http.Response {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	w.frontend.Handler().ServeHTTP(recorder, r)
	return recorder.Result()
}

// ask begins a request for the copy in us-east-1; the channel gets the answer.
func (w *world) ask(method, query string) <-chan *http.Response {
	answers := make(chan *http.Response, 1)
	go func() { answers <- w.do(httptest.NewRequest(method, redirectPath(query), nil)) }()
	return answers
}

func redirectPath(query string) string {
	return "/v1/redirect/" + east.String() + "/" + mustObject(originURL).Target() + query
}

// begin plays a copier that takes the job of an object and begins its attempt.
func (w *world) begin(id cloudmirror.BackendID) (*engine.Attempt, queue.Job) {
	w.t.Helper()
	deliveries, err := w.queues[id].Receive(w.t.Context(), 1)
	if err != nil || len(deliveries) != 1 {
		w.t.Fatalf("received %d jobs and error %v, want 1 job", len(deliveries), err)
	}
	attempt, outcome, err := w.engine.Begin(w.t.Context(), deliveries[0].Job)
	if err != nil || outcome != engine.Begun {
		w.t.Fatalf("Begin: outcome %v, error %v", outcome, err)
	}
	if err := w.queues[id].Ack(w.t.Context(), deliveries[0]); err != nil {
		w.t.Fatal(err)
	}
	return attempt, deliveries[0].Job
}

// copy plays a copier that makes a copy.
func (w *world) copy(id cloudmirror.BackendID) {
	w.t.Helper()
	attempt, job := w.begin(id)
	info, err := w.storages[id].Put(w.t.Context(), attempt.StorageKey(), strings.NewReader(content), storage.PutOptions{
		SizeBytes: int64(len(content)), Source: job.Object.URL(), ExpiresAt: attempt.ExpiresAt(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := attempt.Complete(w.t.Context(), info); err != nil {
		w.t.Fatal(err)
	}
}

// fail plays a copier whose copy fails.
func (w *world) fail(id cloudmirror.BackendID, failure *cloudmirror.Failure) {
	w.t.Helper()
	attempt, _ := w.begin(id)
	if _, err := attempt.Fail(w.t.Context(), failure); err != nil {
		w.t.Fatal(err)
	}
}

// ensure has a copy of the object in us-east-1 asked for.
func (w *world) ensure() {
	w.t.Helper()
	if _, err := w.engine.Wait(w.t.Context(), wanted(), engine.Patience{}); err != nil {
		w.t.Fatal(err)
	}
}

// present makes a copy of the object in us-east-1.
func (w *world) present() {
	w.t.Helper()
	w.ensure()
	w.copy(east)
}

// failed makes the object's copy fail.
func (w *world) failed(failure *cloudmirror.Failure) {
	w.t.Helper()
	w.ensure()
	w.fail(east, failure)
}

// counted returns how many redirects had an outcome.
func (w *world) counted(outcome string) (total int) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "cloudmirror_redirects_total" && label.GetName() == "outcome" && label.GetValue() == outcome {
					total += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return total
}

// gauge returns the value of a metric without labels.
func (w *world) gauge(name string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return 0
}

// jobs returns how many jobs wait in a queue.
func (w *world) jobs(id cloudmirror.BackendID) int {
	w.t.Helper()
	counts, err := w.queues[id].Queue.Count(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return counts.Ready
}

// A body is what any JSON answer may hold of interest.
type body struct {
	Status    string `json:"status"`
	URL       string `json:"url"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

func decode[T any](t testing.TB, resp *http.Response) (b T) {
	t.Helper()
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		t.Fatalf("the body of %s is not the JSON that is expected: %v", resp.Status, err)
	}
	return b
}

func wanted() engine.Want { return engine.Want{Object: mustObject(originURL), Backend: east} }

func mustObject(url string) cloudmirror.Object {
	o, err := cloudmirror.ParseObject(url)
	if err != nil {
		panic(err)
	}
	return o
}

func pattern(t testing.TB, text string) cloudmirror.AllowPattern {
	t.Helper()
	p, err := cloudmirror.ParseAllowPattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tokenOf returns the token of a bearer that sends text.
func tokenOf(name, text string) cloudmirror.Token {
	return cloudmirror.Token{Name: name, Hash: sha256.Sum256([]byte(text))}
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) })
}

type breakableCache struct {
	cache.Store
	down  atomic.Bool
	asked atomic.Int64 // Gets and GetAlls
}

func (c *breakableCache) Get(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	c.asked.Add(1)
	if c.down.Load() {
		return cache.Snapshot{}, errDown
	}
	return c.Store.Get(ctx, key)
}

func (c *breakableCache) GetAll(ctx context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	c.asked.Add(1)
	if c.down.Load() {
		return nil, errDown
	}
	return c.Store.GetAll(ctx, keys)
}

func (c *breakableCache) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	if c.down.Load() {
		return cache.Snapshot{}, false, errDown
	}
	return c.Store.Swap(ctx, key, old, next)
}

type breakableQueue struct {
	*memqueue.Queue
	down   atomic.Bool
	counts atomic.Int64
}

func (q *breakableQueue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	if q.down.Load() {
		return errDown
	}
	return q.Queue.Send(ctx, job, delay)
}

func (q *breakableQueue) Count(ctx context.Context) (queue.Counts, error) {
	q.counts.Add(1)
	if q.down.Load() {
		return queue.Counts{}, errDown
	}
	return q.Queue.Count(ctx)
}

type breakableStorage struct {
	storage.Provider
	down, linkless atomic.Bool
	signs          atomic.Bool // its links are private
	looks, links   atomic.Int64
	delay          time.Duration // of each look
	held           chan struct{} // if not nil, looks wait until it is closed
}

func (s *breakableStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	s.looks.Add(1)
	time.Sleep(s.delay)
	if s.held != nil {
		<-s.held
	}
	if s.down.Load() {
		return storage.Info{}, errDown
	}
	return s.Provider.Stat(ctx, key)
}

func (s *breakableStorage) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	if s.down.Load() {
		return nil, storage.Info{}, errDown
	}
	return s.Provider.Open(ctx, key)
}

func (s *breakableStorage) URL(ctx context.Context, key, method string) (storage.Link, error) {
	if s.linkless.Load() {
		return storage.Link{}, errDown
	}
	link, err := s.Provider.URL(ctx, key, method)
	if n := s.links.Add(1); s.signs.Load() {
		link.URL += fmt.Sprintf("?signed=%d&for=%s", n, method)
		link.Private = true
	}
	return link, err
}
