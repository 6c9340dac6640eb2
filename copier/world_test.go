package copier_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/cache/memcache"
	"cloudmirror/copier"
	"cloudmirror/engine"
	"cloudmirror/origin"
	"cloudmirror/origin/origintest"
	"cloudmirror/queue"
	"cloudmirror/queue/memqueue"
	"cloudmirror/storage"
	"cloudmirror/storage/filestore"
)

// TestMain lets four tests run at a time, however few processors there are: some
// mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

var backendID = cloudmirror.BackendID{Service: "s3", Region: "eu-west-1"}

// visibility and lease are short, so that a copy which outlasts them is quick to
// make.
const (
	visibility = 600 * time.Millisecond
	lease      = 600 * time.Millisecond
	waitLimit  = 30 * time.Second

	negativeTTL = time.Minute

	sectionBytes = 256 << 10 // of large objects
)

// A world is a deployment in one process: real memory drivers, files, the real
// origin client and an origin with behaviour.
type world struct {
	t        *testing.T
	origin   *origintest.Server
	client   *origin.Client
	memory   *memcache.Store
	ahead    atomic.Int64 // of our clock: the cache's
	queue    *memqueue.Queue
	jobs     *oddQueue // around queue, what the copier receives from
	files    *breakableStorage
	engine   *engine.Engine
	copier   *copier.Copier       // that was started last
	registry *prometheus.Registry // of it
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	memory, err := memcache.New(memcache.Options{Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filestore.New(filestore.Options{Dir: t.TempDir(), PublicURL: "http://files.test/objects", SectionBytes: sectionBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	w.memory, w.origin = memory, origintest.Start(t)
	w.client = origin.New(origin.Options{IdleTimeout: time.Second, FirstByteTimeout: time.Second, ResumeDelay: time.Millisecond})
	t.Cleanup(w.client.Close)
	w.queue = memqueue.New(memqueue.Options{Visibility: visibility})
	w.jobs = &oddQueue{Queue: w.queue}
	w.files = &breakableStorage{Provider: files}
	w.engine = w.newEngine(engine.Timing{CopyLease: lease})
	return w
}

// newEngine returns an engine on the same parts, as another process has.
func (w *world) newEngine(timing engine.Timing) *engine.Engine {
	m := engine.New(engine.Options{
		Cache: w.memory, Logger: zaptest.NewLogger(w.t), Timing: timing,
		Backends: []engine.Backend{{ID: backendID, Storage: w.files, Queue: w.queue, TTL: time.Hour, NegativeTTL: negativeTTL}},
	})
	w.t.Cleanup(m.Close)
	return m
}

// start runs a copier until stop is called, which waits for its end.
func (w *world) start(grace time.Duration) (stop func()) {
	return w.startWith(func(o *copier.Options) { o.Grace = grace })
}

// startWith runs a copier with other options.
func (w *world) startWith(change func(*copier.Options)) (stop func()) {
	allow, err := cloudmirror.ParseAllowPattern("^http://")
	if err != nil {
		w.t.Fatal(err)
	}
	w.registry = prometheus.NewRegistry()
	o := copier.Options{
		Engine: w.engine, Cache: w.memory, Origin: w.client, Logger: zaptest.NewLogger(w.t), Registerer: w.registry,
		Concurrency: 4, Visibility: visibility, Grace: time.Second,
		Backends: []copier.Backend{{
			ID: backendID, Queue: w.jobs, Storage: w.files,
			Rules: origin.Rules{Allow: []cloudmirror.AllowPattern{allow}, AllowAddresses: origintest.Loopback(), MaxObjectBytes: 1 << 30},
		}},
	}
	change(&o)
	w.copier, stop = runCopier(o)
	w.t.Cleanup(stop)
	return stop
}

// runCopier runs a copier until stop is called, which waits for its end.
func runCopier(o copier.Options) (c *copier.Copier, stop func()) {
	c = copier.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	return c, func() { cancel(); <-done }
}

// set has the origin behave, and the client wait for one that hangs for 0.1 s.
func (w *world) set(path string, b origintest.Behaviour) {
	w.origin.Set(path, b)
	if b.Hang {
		w.client = origin.New(origin.Options{FirstByteTimeout: 100 * time.Millisecond})
		w.t.Cleanup(w.client.Close)
	}
}

func (w *world) want(path string) engine.Want {
	return engine.Want{Object: w.origin.Object(w.t, path), Backend: backendID}
}

// peek peeks at the copy in one backend.
func peek(ctx context.Context, en *engine.Engine, w engine.Want) (engine.View, error) {
	peeked := en.Peek(ctx, w.Object, []cloudmirror.BackendID{w.Backend})
	return peeked[0].View, peeked[0].Err
}

// wait waits for the outcome of an object.
func (w *world) wait(path string) cache.Entry {
	w.t.Helper()
	return w.waitAt(w.engine, path)
}

func (w *world) waitAt(front *engine.Engine, path string) cache.Entry {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), waitLimit)
	defer cancel()
	view, err := front.Wait(ctx, w.want(path), engine.Patience{Until: time.Now().Add(waitLimit)})
	if err != nil {
		w.t.Fatalf("wait for %s: %v; the entry is %+v", path, err, view.Entry)
	}
	return view.Entry
}

func (w *world) counts() queue.Counts {
	w.t.Helper()
	counts, err := w.queue.Count(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

// eventually waits until a condition holds that nothing announces.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(waitLimit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("in %v it did not happen that %s", waitLimit, what)
		}
	}
}

// metric returns how many jobs ended with a result.
func (w *world) metric(result string) float64 {
	w.t.Helper()
	return w.counted("cloudmirror_copies_total", "result", result)
}

// counted returns a counter with a value of a label.
func (w *world) counted(name, label, value string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if family.GetName() == name && l.GetName() == label && l.GetValue() == value {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

type breakableStorage struct {
	storage.Provider
	broken atomic.Bool
}

var errBroken = errors.New("broken by the test")

func (s *breakableStorage) Stat(ctx context.Context, key string) (storage.Info, error) {
	if s.broken.Load() {
		return storage.Info{}, errBroken
	}
	return s.Provider.Stat(ctx, key)
}

func (s *breakableStorage) Open(ctx context.Context, key string) (io.ReadCloser, storage.Info, error) {
	if s.broken.Load() {
		return nil, storage.Info{}, errBroken
	}
	return s.Provider.Open(ctx, key)
}

func (s *breakableStorage) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Info, error) {
	if s.broken.Load() {
		return storage.Info{}, errBroken
	}
	return s.Provider.Put(ctx, key, body, o)
}
