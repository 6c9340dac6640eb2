package frontend

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/mirror"
)

// Limits of background jobs.
const (
	maxRunningJobs  = 16
	maxKeptJobs     = 100 // running or ended; the oldest ended one is forgotten first
	maxJobWaits     = 32  // copies that one job waits for at the same time
	maxJobDuration  = 12 * time.Hour
	maxJobFailures  = 100 // failures that a job tells of one by one
	maxOutageTries  = 10  // for one copy, while a part of ours is unavailable
	firstOutageWait = time.Second
	maxOutageWait   = 30 * time.Second
)

// jobs keeps the background jobs of this process. They are not known to other
// front ends, and end with this one; what they asked for until then is copied.
type jobs struct {
	engine engine
	logger *zap.Logger

	life    context.Context // ends with close
	end     context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	kept []*job // the oldest first
}

func newJobs(e engine, logger *zap.Logger) *jobs {
	j := &jobs{engine: e, logger: logger}
	j.life, j.end = context.WithCancel(context.Background())
	return j
}

// start runs a job in the background. It is refused if too many are running.
func (js *jobs) start(service string, backends []*backend, objects []cloudmirror.Object) (*job, bool) {
	j := &job{id: cloudmirror.NewID(), service: service, urls: len(objects), created: time.Now(), state: jobRunning}
	for _, b := range backends {
		j.regions = append(j.regions, b.id.Region)
	}
	j.pending = len(objects) * len(backends)

	js.mu.Lock()
	defer js.mu.Unlock()
	if js.life.Err() != nil || !js.makeRoom() {
		return nil, false
	}
	js.kept = append(js.kept, j)
	js.running.Go(func() { js.run(j, backends, objects) })
	return j, true
}

// makeRoom forgets the oldest job that ended, if it must. It reports whether one
// more may run.
func (js *jobs) makeRoom() bool {
	running := 0
	for _, j := range js.kept {
		if j.isRunning() {
			running++
		}
	}
	if running >= maxRunningJobs {
		return false
	}
	if len(js.kept) >= maxKeptJobs {
		i := slices.IndexFunc(js.kept, func(j *job) bool { return !j.isRunning() })
		js.kept = slices.Delete(js.kept, i, i+1)
	}
	return true
}

// find returns a job, or nil.
func (js *jobs) find(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.kept {
		if j.id == id {
			return j
		}
	}
	return nil
}

// close ends all jobs and waits for them.
func (js *jobs) close() {
	js.mu.Lock() // no job starts after this
	js.end()
	js.mu.Unlock()
	js.running.Wait()
}

func (js *jobs) run(j *job, backends []*backend, objects []cloudmirror.Object) {
	ctx, cancel := context.WithTimeout(js.life, maxJobDuration)
	defer cancel()
	var waits errgroup.Group
	waits.SetLimit(maxJobWaits)
	for want := range wants(backends, objects) {
		if ctx.Err() != nil {
			break
		}
		waits.Go(func() error { js.obtain(ctx, j, want); return nil })
	}
	_ = waits.Wait() // none returns an error
	j.finish()
	report := j.report()
	js.logger.Info("a warm job ended", zap.String("job", j.id), zap.String("state", string(report.State)),
		zap.Int("present", report.Counts.Present), zap.Int("error", report.Counts.Error), zap.Int("pending", report.Counts.Pending))
}

// obtain waits for one copy and notes how it ended. Transient failures are tried
// again by the engine while it waits, and outages of ours here.
func (js *jobs) obtain(ctx context.Context, j *job, want mirror.Want) {
	wait := firstOutageWait
	end, _ := ctx.Deadline() // every job has one
	for try := 1; ; try++ {
		view, err := js.engine.Wait(ctx, want, mirror.Patience{Until: end})
		switch {
		case ctx.Err() != nil || errors.Is(err, mirror.ErrClosed):
			return // it stays pending, and the job ends as stopped
		case err == nil && view.Entry.State == cache.Present:
			j.present()
			return
		case err == nil && view.Entry.State == cache.Failed:
			j.failed(want, view.Entry.Failure.Code, view.Entry.Failure.Message)
			return
		case try == maxOutageTries:
			js.logger.Warn("a warm job gave up on a copy", zap.String("job", j.id), zap.Stringer("backend", want.Backend), zap.Error(err))
			j.failed(want, codeUnavailable, "the cache, the queue or the storage of this region is unavailable")
			return
		}
		pause(ctx, wait)
		wait = min(2*wait, maxOutageWait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
