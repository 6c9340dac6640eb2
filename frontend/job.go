package frontend

import (
	"sync"
	"time"

	"cloudmirror"
	"cloudmirror/mirror"
)

// jobState says how far a job is.
type jobState string

const (
	jobRunning jobState = "running"
	jobDone    jobState = "done"    // every copy is present or failed
	jobStopped jobState = "stopped" // it ran out of time, or the process stopped
)

// A job asks for copies in the background. It is safe for concurrent use.
type job struct {
	id      string
	service string
	regions []string
	urls    int
	created time.Time

	mu       sync.Mutex
	state    jobState
	finished time.Time
	pending  int
	ready    int
	failures []jobFailure // the first of them
	failing  int
}

// jobBody is a job as clients see it.
type jobBody struct {
	ID         string       `json:"id"`
	State      jobState     `json:"state"`
	Service    string       `json:"service"`
	Regions    []string     `json:"regions"`
	URLs       int          `json:"urls"`
	Counts     jobCounts    `json:"counts"` // of copies: URLs times regions
	Failures   []jobFailure `json:"failures,omitempty"`
	CreatedAt  *time.Time   `json:"created_at"`
	FinishedAt *time.Time   `json:"finished_at,omitempty"`
}

type jobCounts struct {
	Pending int `json:"pending"`
	Present int `json:"present"`
	Error   int `json:"error"`
}

type jobFailure struct {
	URL     string           `json:"url"` // without its query
	Region  string           `json:"region"`
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
}

func (j *job) isRunning() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state == jobRunning
}

func (j *job) present() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending--
	j.ready++
}

func (j *job) failed(w mirror.Want, code cloudmirror.Code, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending--
	j.failing++
	if len(j.failures) < maxJobFailures {
		j.failures = append(j.failures, jobFailure{
			URL: w.Object.WithoutQuery(), Region: w.Backend.Region, Code: code, Message: sentence(message),
		})
	}
}

func (j *job) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state, j.finished = jobDone, time.Now()
	if j.pending > 0 {
		j.state = jobStopped
	}
}

// report returns the job as it stands.
func (j *job) report() jobBody {
	j.mu.Lock()
	defer j.mu.Unlock()
	return jobBody{
		ID: j.id, State: j.state, Service: j.service, Regions: j.regions, URLs: j.urls,
		Counts:    jobCounts{Pending: j.pending, Present: j.ready, Error: j.failing},
		Failures:  j.failures[:len(j.failures):len(j.failures)],
		CreatedAt: timestamp(j.created), FinishedAt: timestamp(j.finished),
	}
}
