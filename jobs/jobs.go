package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/kv"
)

// Limits of background jobs.
const (
	maxRunning      = 16  // jobs of one process
	maxKept         = 100 // running or ended, in memory; the oldest ended one is forgotten first
	maxWaits        = 32  // copies that one job waits for at the same time
	maxDuration     = 12 * time.Hour
	maxFailures     = 100      // failures that a job tells of one by one
	maxFailureBytes = 64 << 10 // of their URLs and messages together; 1,000 reports are in the store
	maxOutageTries  = 10       // for one copy, while cache, queue or storage is unavailable
	firstOutageWait = time.Second
	maxOutageWait   = 30 * time.Second
)

// Errors that callers tell apart.
var (
	// ErrTooMany says that as many jobs run in the process as may.
	ErrTooMany = errors.New("jobs: too many are running")
	// ErrClosed says that the process stops.
	ErrClosed = errors.New("jobs: closed")
	// ErrUnknown says that there is no such job, or not any more.
	ErrUnknown = errors.New("jobs: no such job")
)

// copies is what jobs need of a *engine.Engine.
type copies interface {
	Wait(ctx context.Context, w engine.Want, p engine.Patience) (engine.View, error)
}

// Options are what Jobs are made of.
type Options struct {
	Engine copies   // a *engine.Engine
	Store  kv.Store // nil: jobs are known to this process alone
	Logger *zap.Logger
}

// Jobs runs the background jobs of this process, and finds those of others. It is
// safe for concurrent use.
type Jobs struct {
	engine copies
	store  kv.Store
	logger *zap.Logger

	life    context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	kept []*job // the oldest first
}

// New returns Jobs. Close them when done.
func New(o Options) *Jobs {
	js := &Jobs{engine: o.Engine, store: o.Store, logger: o.Logger}
	js.life, js.end = context.WithCancel(context.Background())
	return js
}

// Start runs a job in the background. When it returns, other processes find the job,
// if the store answered within storeTimeout; the report says whether it did. The
// error is ErrTooMany or ErrClosed.
func (js *Jobs) Start(ctx context.Context, r Request) (api.Job, error) {
	j := newJob(r)
	if err := js.add(j, r); err != nil { //nolint:contextcheck // the job outlives its request
		return api.Job{}, err
	}
	select {
	case <-j.published:
	case <-ctx.Done():
	}
	report, _ := j.report()
	return report, nil
}

func (js *Jobs) add(j *job, r Request) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	switch {
	case js.life.Err() != nil:
		return ErrClosed
	case !js.admit():
		return ErrTooMany
	}
	js.kept = append(js.kept, j)
	js.running.Go(func() { js.run(j, r) })
	return nil
}

// admit forgets the oldest job that ended, if as many are kept as may be. It reports
// whether one more may run.
func (js *Jobs) admit() bool {
	running := 0
	for _, j := range js.kept {
		if j.isRunning() {
			running++
		}
	}
	if running >= maxRunning {
		return false
	}
	if len(js.kept) >= maxKept {
		i := slices.IndexFunc(js.kept, func(j *job) bool { return !j.isRunning() })
		js.kept = slices.Delete(js.kept, i, i+1)
	}
	return true
}

// Close ends all jobs of this process and waits for them.
func (js *Jobs) Close() {
	js.mu.Lock() // no job starts after this
	js.end()
	js.mu.Unlock()
	js.running.Wait()
}

// run asks for all copies. It alone has the request: a job that has ended is kept
// without its URLs, which may be 8 MB.
func (js *Jobs) run(j *job, r Request) {
	ended := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() { js.publish(j, ended) })
	defer publishing.Wait()
	defer close(ended)

	ctx, cancel := context.WithTimeout(js.life, maxDuration)
	defer cancel()
	var waits errgroup.Group
	waits.SetLimit(maxWaits)
	for w := range wants(r) {
		if ctx.Err() != nil {
			break
		}
		waits.Go(func() error { js.obtain(ctx, j, w); return nil })
	}
	_ = waits.Wait() // none returns an error
	j.finish()
	end, _ := j.report()
	js.logger.Info("a warm job ended", zap.String("job", j.id), zap.String("state", string(end.State)),
		zap.Int("present", end.Counts.Present), zap.Int("error", end.Counts.Error), zap.Int("pending", end.Counts.Pending), zap.Int64("bytes", end.Counts.Bytes))
}

// wants returns each object in each backend.
func wants(r Request) func(yield func(want) bool) {
	return func(yield func(want) bool) {
		for _, i := range r.Items {
			for _, b := range r.Backends {
				if !yield(want{Want: engine.Want{Object: i.Object, Backend: b}, index: i.Index}) {
					return
				}
			}
		}
	}
}

// obtain waits for one copy and notes how it ended. The engine retries transient
// failures while it waits; obtain retries while cache, queue or storage is down.
func (js *Jobs) obtain(ctx context.Context, j *job, w want) {
	wait := firstOutageWait
	end, _ := ctx.Deadline() // every job has one
	for try := 1; ; try++ {
		view, err := js.engine.Wait(ctx, w.Want, engine.Patience{Until: end})
		switch {
		case ctx.Err() != nil || errors.Is(err, engine.ErrClosed):
			return // it stays pending, and the job ends as stopped
		case err == nil && view.Entry.State == cache.Present:
			j.present(w, copiedBytes(view))
			return
		case err == nil && view.Entry.State == cache.Failed:
			j.failed(w, view.Entry.Failure.Code, view.Entry.Failure.Message)
			return
		case try == maxOutageTries:
			js.logger.Warn("a warm job gave up on a copy", zap.String("job", j.id), zap.Stringer("backend", w.Backend), zap.Error(err))
			j.failed(w, api.CodeUnavailable, "the cache, the queue or the storage of this region is unavailable")
			return
		}
		pause(ctx, wait)
		wait = min(2*wait, maxOutageWait)
	}
}

// copiedBytes returns the size of a copy that was made while the job waited for it,
// and 0 for one that was there before.
func copiedBytes(v engine.View) int64 {
	if v.Source != engine.FromCopy {
		return 0
	}
	return v.Entry.Copy.SizeBytes
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
