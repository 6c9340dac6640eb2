package jobs

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/kv"
	"cloudmirror/queue"
)

// Limits of background jobs.
const (
	maxRunning      = 16  // jobs of one process
	maxKept         = 100 // running or ended, in memory; the oldest ended one is forgotten first
	maxWaits        = 32  // copies in one backend that one job waits for at the same time, resting ones included
	maxUnfinished   = 16  // copies in one backend that all jobs have unfinished at the same time, if Options say no other
	maxDuration     = 12 * time.Hour
	patience        = 10 * time.Second // a copy that is tried again later than this is not unfinished meanwhile
	maxFailures     = 100              // failures that a job tells of one by one
	maxFailureBytes = 64 << 10         // of their URLs and messages together; 1,000 reports are in the store
	maxOutageTries  = 10               // for one copy, while cache, queue or storage is unavailable
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

	// MaxUnfinished bounds the copies in one backend that all jobs together have
	// asked for and that have not ended: a client that wants one of them has at most
	// as many before it. 0: 16.
	MaxUnfinished int
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

	maxUnfinished int

	mu         sync.Mutex
	kept       []*job // the oldest first
	unfinished map[cloudmirror.BackendID]*semaphore.Weighted
}

// New returns Jobs. Close them when done.
func New(o Options) *Jobs {
	js := &Jobs{
		engine: o.Engine, store: o.Store, logger: o.Logger, maxUnfinished: cmp.Or(o.MaxUnfinished, maxUnfinished),
		unfinished: make(map[cloudmirror.BackendID]*semaphore.Weighted),
	}
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
	order := &queue.Order{Priority: queue.Warm, Reason: "warm job " + j.id}
	var backends sync.WaitGroup
	for _, b := range r.Backends { // none keeps another waiting
		backends.Go(func() { js.obtainAll(ctx, j, wants(r.Items, b, order)) })
	}
	backends.Wait()
	j.finish()
	end, _ := j.report()
	js.logger.Info("a warm job ended", zap.String("job", j.id), zap.String("state", string(end.State)),
		zap.Int("present", end.Counts.Present), zap.Int("error", end.Counts.Error), zap.Int("pending", end.Counts.Pending), zap.Int64("bytes", end.Counts.Bytes))
}

// wants returns each object in a backend.
func wants(items []Item, b cloudmirror.BackendID, order *queue.Order) iter.Seq[want] {
	return func(yield func(want) bool) {
		for _, i := range items {
			if !yield(want{Want: engine.Want{Object: i.Object, Backend: b, Order: order}, index: i.Index}) {
				return
			}
		}
	}
}

// obtainAll obtains copies in one backend, maxWaits at a time.
func (js *Jobs) obtainAll(ctx context.Context, j *job, all iter.Seq[want]) {
	var waits errgroup.Group
	waits.SetLimit(maxWaits)
	for w := range all {
		if ctx.Err() != nil {
			break
		}
		waits.Go(func() error { js.obtain(ctx, j, w); return nil })
	}
	_ = waits.Wait() // none returns an error
}

// obtain waits for one copy and notes how it ended: if the job ends first, not at all. A
// copy that rests before it is tried again is not unfinished meanwhile: those of a host
// that asks for an hour's rest keep no others waiting.
func (js *Jobs) obtain(ctx context.Context, j *job, w want) {
	end, _ := ctx.Deadline() // every job has one
	for hasRested := false; ; hasRested = true {
		view, isNew, err := js.waitUnfinished(ctx, w)
		switch f := view.Entry.Failure; {
		case ctx.Err() != nil || errors.Is(err, engine.ErrClosed):
			return // it stays pending, and the job ends as stopped
		case err != nil:
			js.logger.Warn("a warm job gave up on a copy", zap.String("job", j.id), zap.Stringer("backend", w.Backend), zap.Error(err))
			j.failed(w, api.CodeUnavailable, "the cache, the queue or the storage of this region is unavailable")
			return
		case view.Entry.State == cache.Present:
			j.present(w, copiedBytes(view, isNew || hasRested))
			return
		case f.Permanent || f.RetryAt.Sub(view.Now) > time.Until(end):
			j.failed(w, f.Code, f.Message)
			return
		default:
			pause(ctx, f.RetryAt.Sub(view.Now))
		}
	}
}

// waitUnfinished waits until a copy is present, has failed for good, or rests for longer
// than patience; isNew reports whether it was seen pending before. The engine retries
// failures while it waits; waitUnfinished retries, up to maxOutageTries, while cache, queue
// or storage is down. The error is why the last of these failed, or ctx's.
func (js *Jobs) waitUnfinished(ctx context.Context, w want) (view engine.View, isNew bool, err error) {
	unfinished := js.unfinishedIn(w.Backend)
	if err := unfinished.Acquire(ctx, 1); err != nil {
		return engine.View{}, false, err
	}
	defer unfinished.Release(1)
	wait := firstOutageWait
	for outages := 0; ; {
		view, err = js.engine.Wait(ctx, w.Want, engine.Patience{Until: time.Now().Add(patience)})
		switch {
		case ctx.Err() != nil || errors.Is(err, engine.ErrClosed):
			return view, isNew, err
		case err == nil && (view.Entry.State == cache.Present || view.Entry.State == cache.Failed):
			return view, isNew, nil
		case err == nil:
			isNew = true
			continue
		}
		if outages++; outages == maxOutageTries {
			return view, isNew, err
		}
		pause(ctx, wait)
		wait = min(2*wait, maxOutageWait)
	}
}

// unfinishedIn returns what a copy in a backend holds one of until it has ended.
func (js *Jobs) unfinishedIn(id cloudmirror.BackendID) *semaphore.Weighted {
	js.mu.Lock()
	defer js.mu.Unlock()
	if js.unfinished[id] == nil {
		js.unfinished[id] = semaphore.NewWeighted(int64(js.maxUnfinished))
	}
	return js.unfinished[id]
}

// copiedBytes returns the size of a copy that was made while the job waited for it,
// as it did before if isNew, and 0 for one that was there before.
func copiedBytes(v engine.View, isNew bool) int64 {
	if v.Source != engine.FromCopy && !isNew {
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
