package copier_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/storage"
)

// A bubble is a deployment within testing/synctest, where hours take no time: the
// origin is a function, and storage keeps nothing but what it was told.
type bubble struct {
	t        *testing.T
	origin   *scriptedOrigin
	queue    *countingQueue
	engine   *engine.Engine
	registry *prometheus.Registry
	copier   *copier.Copier
	slots    int    // of the copier
	stop     func() // the copier, with a grace of a second
	restart  func() // the same, and then runs another one
}

// elsewhere are backends that a bubble has beside backendID: of the same service,
// and of another.
var elsewhere = []cloudmirror.BackendID{{Service: "s3", Region: "us-east-1"}, {Service: "media", Region: "eu-west-1"}}

// newBubble runs a copier whose options the test may change. Its first backend
// is backendID, those of elsewhere follow.
func newBubble(t *testing.T, change func(*copier.Options)) *bubble {
	t.Helper()
	return newBubbleOn(t, &forgetfulStorage{stored: map[string]storage.Info{}}, change)
}

// newBubbleOn is newBubble with a storage for its first backend.
func newBubbleOn(t *testing.T, first *forgetfulStorage, change func(*copier.Options)) *bubble {
	t.Helper()
	memory, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bubble{
		t: t, registry: prometheus.NewRegistry(),
		origin: &scriptedOrigin{answer: copiesIn(0), running: map[string]int{}, most: map[string]int{}, calls: map[string]int{}, times: map[string][]time.Time{}},
		queue:  &countingQueue{Queue: memqueue.New(memqueue.Options{})},
	}
	jobs := []copier.Backend{{ID: backendID, Queue: b.queue}}
	for _, id := range elsewhere {
		jobs = append(jobs, copier.Backend{ID: id, Queue: memqueue.New(memqueue.Options{})})
	}
	options := engine.Options{Cache: memory, Logger: zap.NewNop()}
	for i := range jobs {
		jobs[i].Storage = &forgetfulStorage{stored: map[string]storage.Info{}}
		if i == 0 {
			jobs[i].Storage = first
		}
		options.Backends = append(options.Backends, engine.Backend{
			ID: jobs[i].ID, Storage: jobs[i].Storage, Queue: jobs[i].Queue, TTL: 24 * time.Hour, NegativeTTL: 30 * time.Second,
		})
	}
	b.engine = engine.New(options)
	o := copier.Options{
		Engine: b.engine, Cache: memory, Origin: b.origin, Logger: zap.NewNop(), Registerer: b.registry, Backends: jobs,
		Manners: copier.Manners{CopiesPerHost: 8}, Concurrency: 16, Visibility: time.Minute, Grace: time.Second,
	}
	if change != nil {
		change(&o)
	}
	b.start(o)
	t.Cleanup(func() { b.stop(); b.engine.Close() })
	return b
}

// start runs a copier.
func (b *bubble) start(o copier.Options) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	b.copier, b.slots = copier.New(o), o.Concurrency
	go func() { defer close(done); b.copier.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	b.restart = func() {
		b.stop()
		b.registry = prometheus.NewRegistry()
		o.Registerer = b.registry
		b.start(o)
	}
}

func want(t *testing.T, url string) engine.Want {
	t.Helper()
	o, err := cloudmirror.ParseObject(url)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Want{Object: o, Backend: backendID}
}

// ask asks for a copy, as a client does that does not wait.
func (b *bubble) ask(url string) {
	b.t.Helper()
	if _, err := b.engine.Wait(b.t.Context(), want(b.t, url), engine.Patience{}); err != nil {
		b.t.Fatalf("ask for %s: %v", url, err)
	}
}

// settle lets everything happen that is under way. It takes a little time: with
// less room than for a full receive, a copier waits a moment for more.
func (b *bubble) settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func (b *bubble) entry(url string) cache.Entry {
	b.t.Helper()
	view, err := peek(b.t.Context(), b.engine, want(b.t, url))
	if err != nil {
		b.t.Fatal(err)
	}
	return view.Entry
}

// after returns what the entry is after time has passed.
func (b *bubble) after(d time.Duration, url string) cache.Entry {
	b.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	return b.entry(url)
}

// wait waits for a copy for as long as a client does.
func (b *bubble) wait(url string, patience time.Duration) cache.Entry {
	b.t.Helper()
	view, err := b.engine.Wait(b.t.Context(), want(b.t, url), engine.Patience{Until: time.Now().Add(patience)})
	if err != nil {
		b.t.Fatalf("wait for %s: %v", url, err)
	}
	return view.Entry
}

// value returns the sum of a metric over its labels.
func (b *bubble) value(name string) float64 {
	b.t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// A scriptedOrigin answers as the test says, and counts by host and URL.
type scriptedOrigin struct {
	mu      sync.Mutex
	answer  func(context.Context, cloudmirror.Object) (io.Reader, error)
	running map[string]int // answers and bodies that are not ended, by host
	most    map[string]int // at the same time
	calls   map[string]int // by URL
	total   int
	times   map[string][]time.Time // of requests, by origin

	redirect func(cloudmirror.Object) (to string) // "": it answers itself; nil: all do
	took     time.Duration                        // until a redirect is answered
}

// copiesIn answers with a small object, after a while.
func copiesIn(took time.Duration) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(ctx context.Context, o cloudmirror.Object) (io.Reader, error) {
		select {
		case <-time.After(took):
			return bytes.NewReader([]byte(o.URL())), nil
		case <-ctx.Done():
			return nil, &cloudmirror.Failure{Code: cloudmirror.CodeInternal, Err: ctx.Err()}
		}
	}
}

// fails answers every time with a failure: that of the host that is asked, unless
// it names another.
func fails(f cloudmirror.Failure) func(context.Context, cloudmirror.Object) (io.Reader, error) {
	return func(_ context.Context, o cloudmirror.Object) (io.Reader, error) {
		own := f
		own.Origin = cmp.Or(f.Origin, o.Origin())
		return nil, &own
	}
}

func (s *scriptedOrigin) script(answer func(context.Context, cloudmirror.Object) (io.Reader, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scriptedOrigin) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *scriptedOrigin) askedFor(url string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[url]
}

func (s *scriptedOrigin) mostOf(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most[host]
}

// timesOf returns when the origin, such as https://host.test, was asked.
func (s *scriptedOrigin) timesOf(server string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.times[server])
}

func (s *scriptedOrigin) Get(ctx context.Context, rules origin.Rules, o cloudmirror.Object) (*origin.Response, error) {
	s.mu.Lock()
	s.total++
	s.mu.Unlock()
	for hop := o; ; {
		leave, err := rules.Enter(ctx, hop)
		if err != nil {
			return nil, err
		}
		answer, next, answered := s.request(hop)
		end := sync.OnceFunc(func() { answered(); leave() })
		if next == "" {
			body, err := answer(ctx, hop)
			if err != nil {
				end()
				return nil, err
			}
			return &origin.Response{SizeBytes: -1, FinalURL: hop.URL(), Body: endingBody{Reader: body, end: end}}, nil
		}
		time.Sleep(s.took)
		end()
		if hop, err = cloudmirror.ParseObject(next); err != nil {
			return nil, err
		}
	}
}

// request counts a request, and says how it is answered.
func (s *scriptedOrigin) request(hop cloudmirror.Object) (answer func(context.Context, cloudmirror.Object) (io.Reader, error), next string, answered func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := hop.Host()
	s.calls[hop.URL()]++
	s.times[hop.Origin()] = append(s.times[hop.Origin()], time.Now())
	s.running[host]++
	s.most[host] = max(s.most[host], s.running[host])
	if s.redirect != nil {
		next = s.redirect(hop)
	}
	return s.answer, next, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[host]--
	}
}

type endingBody struct {
	io.Reader
	end func()
}

func (b endingBody) Close() error { b.end(); return nil }

// A forgetfulStorage keeps what is said of copies, and of their bytes only those of
// markers.
type forgetfulStorage struct {
	storage.Provider // panics: nothing else is asked of it

	mu      sync.Mutex
	stored  map[string]storage.Info
	markers map[string]string
	opened  int // markers, which are all that is opened
}

func (s *forgetfulStorage) Stat(_ context.Context, key string) (storage.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, found := s.stored[key]; found {
		return info, nil
	}
	return storage.Info{}, storage.ErrNotExist
}

func (s *forgetfulStorage) Open(_ context.Context, key string) (io.ReadCloser, storage.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	if marker, found := s.markers[key]; found {
		return io.NopCloser(strings.NewReader(marker)), storage.Info{}, nil
	}
	return nil, storage.Info{}, storage.ErrNotExist
}

func (s *forgetfulStorage) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stored, key)
	return nil
}

// mark keeps the marker of an object that is purged.
func (s *forgetfulStorage) mark(key string, body io.Reader) (storage.Info, error) {
	marker, err := io.ReadAll(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.markers == nil {
		s.markers = make(map[string]string)
	}
	s.markers[key] = string(marker)
	return storage.Info{}, err
}

// count returns how many markers were asked for.
func (s *forgetfulStorage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

func (s *forgetfulStorage) Put(_ context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	if _, isMarker := body.(*strings.Reader); isMarker {
		return s.mark(key, body)
	}
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return storage.Info{}, fmt.Errorf("put: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.stored[key]; found && !o.Replace {
		return storage.Info{}, storage.ErrExist
	}
	s.stored[key] = storage.Info{SizeBytes: n, StoredAt: time.Now(), ExpiresAt: o.ExpiresAt}
	return s.stored[key], nil
}

// A countingQueue counts the messages that are sent.
type countingQueue struct {
	*memqueue.Queue

	mu   sync.Mutex
	sent int
}

func (q *countingQueue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	q.mu.Lock()
	q.sent++
	q.mu.Unlock()
	return q.Queue.Send(ctx, job, delay)
}

func (q *countingQueue) sends() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent
}
