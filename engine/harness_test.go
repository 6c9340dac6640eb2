package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/engine"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/storage"
)

var backendID = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}

// patient waits for as long as it takes.
var patient = engine.Patience{Until: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}

const content = "the bytes of the object"

// A world is one deployment of a cache, a queue and a storage in memory, whose parts
// can be broken, with one engine on it.
type world struct {
	t       *testing.T
	cache   *breakableCache
	memory  *memcache.Store
	queue   *breakableQueue
	storage *breakableStorage
	engine  *engine.Engine
	want    engine.Want
	maxLife time.Duration // of the copies of engines that are made from now on; 0: their TTL
}

func newWorld(t *testing.T) *world {
	t.Helper()
	memory, err := memcache.New(memcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, memory: memory,
		cache:   &breakableCache{Store: memory},
		queue:   &breakableQueue{Queue: memqueue.New(memqueue.Options{Visibility: time.Hour})},
		storage: &breakableStorage{Provider: &scheduledStorage{bucket: newBucket(), schedule: &schedule{free: true}}},
		want:    engine.Want{Object: object(t, "https://origin.test/release/tool-1.0.tar.gz"), Backend: backendID},
	}
	w.engine = w.newEngine()
	return w
}

// newEngine returns another engine on the same parts, as another process has.
func (w *world) newEngine() *engine.Engine {
	m := engine.New(engine.Options{
		Cache:  w.cache,
		Logger: zap.NewNop(),
		Backends: []engine.Backend{{
			ID: backendID, Storage: w.storage, Queue: w.queue, TTL: 24 * time.Hour, MaxLife: w.maxLife, NegativeTTL: 30 * time.Second,
		}},
	})
	w.t.Cleanup(m.Close)
	return m
}

func object(t *testing.T, url string) cloudmirror.Object {
	t.Helper()
	o, err := cloudmirror.ParseObject(url)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// receive returns the one job that is in the queue now.
func (w *world) receive() queue.Job {
	w.t.Helper()
	deliveries, err := w.queue.Receive(w.t.Context(), 10)
	if err != nil || len(deliveries) != 1 {
		w.t.Fatalf("received %d jobs, error %v, want one job", len(deliveries), err)
	}
	if err := w.queue.Ack(w.t.Context(), deliveries[0]); err != nil {
		w.t.Fatal(err)
	}
	return deliveries[0].Job
}

func (w *world) begin(job queue.Job) *engine.Attempt {
	w.t.Helper()
	attempt, outcome, err := w.engine.Begin(w.t.Context(), job)
	if err != nil || outcome != engine.Begun {
		w.t.Fatalf("begin: outcome %v, error %v, want Begun", outcome, err)
	}
	return attempt
}

// upload stores the object where the attempt says.
func (w *world) upload(a *engine.Attempt) storage.Info {
	w.t.Helper()
	info, err := w.storage.Put(w.t.Context(), a.StorageKey(), strings.NewReader(content), storage.PutOptions{
		SizeBytes: int64(len(content)), ExpiresAt: a.ExpiresAt(), Replace: a.Replace(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// copyOne does what a copier does with the one job in the queue.
func (w *world) copyOne() {
	w.t.Helper()
	a := w.begin(w.receive())
	if err := a.Complete(w.t.Context(), w.upload(a)); err != nil {
		w.t.Fatal(err)
	}
}

// makePresent has the object copied.
func (w *world) makePresent() {
	w.t.Helper()
	w.ensure()
	w.copyOne()
}

// ensure makes sure of a copy, or of a job for one.
func (w *world) ensure() engine.View {
	w.t.Helper()
	view, err := w.engine.Wait(w.t.Context(), w.want, engine.Patience{})
	if err != nil {
		w.t.Fatal(err)
	}
	return view
}

func (w *world) exists(key string) bool {
	w.t.Helper()
	_, err := w.storage.Stat(w.t.Context(), key)
	if err != nil && !errors.Is(err, storage.ErrNotExist) {
		w.t.Fatal(err)
	}
	return err == nil
}

func (w *world) peek() engine.View {
	w.t.Helper()
	view, err := peek(w.t.Context(), w.engine, w.want)
	if err != nil {
		w.t.Fatal(err)
	}
	return view
}

// peek peeks at the copy in one backend.
func peek(ctx context.Context, en *engine.Engine, w engine.Want) (engine.View, error) {
	peeked := en.Peek(ctx, w.Object, []cloudmirror.BackendID{w.Backend})
	return peeked[0].View, peeked[0].Err
}

// A waiter is a client in Engine.Wait.
type waiter struct {
	view engine.View
	err  error
	done chan struct{}
}

func (w *world) wait(ctx context.Context, m *engine.Engine) *waiter {
	waiting := &waiter{done: make(chan struct{})}
	go func() {
		defer close(waiting.done)
		waiting.view, waiting.err = m.Wait(ctx, w.want, patient)
	}()
	return waiting
}

var errBroken = errors.New("broken by the test")

type breakableCache struct {
	cache.Store
	broken   atomic.Bool
	lose     atomic.Int64 // how many of the next Swaps are made and lose their answers
	commands atomic.Int64 // all of them

	answering func(cache.Snapshot) // nil: Get answers at once
}

func (c *breakableCache) Get(ctx context.Context, key cache.Key) (cache.Snapshot, error) {
	c.commands.Add(1)
	if c.broken.Load() {
		return cache.Snapshot{}, errBroken
	}
	at, err := c.Store.Get(ctx, key)
	if c.answering != nil {
		c.answering(at)
	}
	return at, err
}

func (c *breakableCache) GetAll(ctx context.Context, keys []cache.Key) ([]cache.Snapshot, error) {
	c.commands.Add(1)
	if c.broken.Load() {
		return nil, errBroken
	}
	return c.Store.GetAll(ctx, keys)
}

func (c *breakableCache) Swap(ctx context.Context, key cache.Key, old cache.Snapshot, next cache.Entry) (cache.Snapshot, bool, error) {
	c.commands.Add(1)
	if c.broken.Load() {
		return cache.Snapshot{}, false, errBroken
	}
	at, swapped, err := c.Store.Swap(ctx, key, old, next)
	if c.lose.Add(-1) >= 0 {
		return cache.Snapshot{}, false, errBroken
	}
	return at, swapped, err
}

type breakableQueue struct {
	queue.Queue
	broken   atomic.Bool
	sent     atomic.Int64
	answered chan struct{} // if not nil, Send sends at once and returns when this is closed
}

func (q *breakableQueue) Send(ctx context.Context, job queue.Job, delay time.Duration) error {
	if q.broken.Load() {
		return errBroken
	}
	q.sent.Add(1)
	err := q.Queue.Send(ctx, job, delay)
	if q.answered != nil {
		<-q.answered
	}
	return err
}

type breakableStorage struct {
	storage.Provider
	broken atomic.Bool
	stats  atomic.Int64
}

func (s *breakableStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	s.stats.Add(1)
	if s.broken.Load() {
		return storage.Info{}, errBroken
	}
	return s.Provider.Stat(ctx, key)
}
