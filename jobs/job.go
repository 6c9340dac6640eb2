package jobs

import (
	"sync"
	"sync/atomic"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/engine"
)

// A Request is what a job is asked for: each object in each backend.
type Request struct {
	Service  string
	Backends []cloudmirror.BackendID // of the service; at least one
	Items    []Item
	Refusals []Refusal
}

// An Item is an object to be copied. Index is that of its URL in the caller's list.
type Item struct {
	Index  int
	Object cloudmirror.Object
}

// A Refusal is a URL that the job counts as failed and does not ask for.
type Refusal struct {
	Index   int
	URL     string // without its query; "": it is none
	Code    cloudmirror.Code
	Message string
}

// A want is a copy that a job asks for.
type want struct {
	engine.Want
	index int
}

// A job asks for copies in the background. It is safe for concurrent use.
type job struct {
	id      string
	service string
	regions []string
	urls    int
	created time.Time

	isShared  atomic.Bool
	published chan struct{} // closed after the first try to publish the job

	mu       sync.Mutex
	changes  int // counted, to publish nothing twice
	state    api.JobState
	finished time.Time
	counts   api.JobCounts
	failures []api.JobFailure // the first of them, within maxFailures and maxFailureBytes
	told     int              // bytes of URLs and messages of failures
	waiting  []int            // copies that are not done, by index of the URL
	bad      []bool           // whether a copy failed, by index of the URL
}

func newJob(r Request) *job {
	j := &job{
		id: cloudmirror.NewID(), service: r.Service, urls: len(r.Items) + len(r.Refusals),
		created: now(), state: api.JobRunning, published: make(chan struct{}),
	}
	for _, b := range r.Backends {
		j.regions = append(j.regions, b.Region)
	}
	indexes := 0
	for _, i := range r.Items {
		indexes = max(indexes, i.Index+1)
	}
	for _, f := range r.Refusals {
		indexes = max(indexes, f.Index+1)
	}
	j.waiting, j.bad = make([]int, indexes), make([]bool, indexes)
	for _, i := range r.Items {
		j.waiting[i.Index] = len(r.Backends)
	}
	j.counts.Pending = len(r.Items) * len(r.Backends)
	for _, f := range r.Refusals {
		for _, region := range j.regions {
			j.fail(api.JobFailure{Index: f.Index, URL: f.URL, Region: region, Code: f.Code, Message: f.Message})
		}
	}
	return j
}

// now is a time as reports have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (j *job) isRunning() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state == api.JobRunning
}

// present notes a copy. Bytes are those that were copied for it.
func (j *job) present(w want, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settle(w)
	j.counts.Present++
	j.counts.Bytes += bytes
}

func (j *job) failed(w want, code cloudmirror.Code, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.settle(w)
	j.fail(api.JobFailure{Index: w.index, URL: w.Object.WithoutQuery(), Region: w.Backend.Region, Code: code, Message: message})
}

// settle takes a copy out of those that are pending. The caller holds the lock.
func (j *job) settle(w want) {
	j.changes++
	j.counts.Pending--
	j.waiting[w.index]--
}

// fail counts a failure. The caller holds the lock.
func (j *job) fail(f api.JobFailure) {
	j.counts.Error++
	j.bad[f.Index] = true
	if size := len(f.URL) + len(f.Message); len(j.failures) < maxFailures && j.told+size <= maxFailureBytes {
		j.failures, j.told = append(j.failures, f), j.told+size
	}
}

func (j *job) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes++
	j.state, j.finished = api.JobDone, now()
	if j.counts.Pending > 0 {
		j.state = api.JobStopped
	}
}

// report returns the job as it stands, and how often it has changed.
func (j *job) report() (api.Job, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := api.Job{
		ID: j.id, State: j.state, Service: j.service, Regions: j.regions, URLs: j.urls, Counts: j.counts,
		Failures: j.failures[:len(j.failures):len(j.failures)], FailedURLs: []int{}, PendingURLs: []int{},
		Shared: j.isShared.Load(), CreatedAt: j.created,
	}
	for i := range j.waiting {
		if j.waiting[i] > 0 {
			r.PendingURLs = append(r.PendingURLs, i)
		}
		if j.bad[i] {
			r.FailedURLs = append(r.FailedURLs, i)
		}
	}
	if finished := j.finished; !finished.IsZero() {
		r.FinishedAt = &finished
	}
	return r, j.changes
}
