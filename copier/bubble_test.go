package copier_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
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
	storage  *forgetfulStorage // of backendID
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
		t: t, registry: prometheus.NewRegistry(), storage: first,
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
		Limits: copier.Limits{CopiesPerHost: 8}, Concurrency: 16, Visibility: time.Minute, Grace: time.Second,
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
	b.copier, b.stop = runCopier(o)
	b.slots = o.Concurrency
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

// stored reports whether the storage of backendID has a copy of the first generation.
func (b *bubble) stored(url string) bool {
	b.t.Helper()
	_, err := b.storage.Stat(b.t.Context(), want(b.t, url).Object.StorageKey(cloudmirror.FirstGeneration))
	return err == nil
}

// A forgetfulStorage keeps what is said of copies, and of their bytes only those of
// markers.
type forgetfulStorage struct {
	storage.Provider      // panics: nothing else is asked of it
	digests          bool // copies have their SHA-256 instead of that of nothing: it costs time

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
	digest := sha256.New()
	if s.digests {
		body = io.TeeReader(body, digest)
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
	s.stored[key] = storage.Info{SizeBytes: n, SHA256: hex.EncodeToString(digest.Sum(nil)), StoredAt: time.Now(), ExpiresAt: o.ExpiresAt}
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
