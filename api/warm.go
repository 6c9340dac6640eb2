package api

import (
	"time"

	"cloudmirror"
)

// Limits of one [WarmRequest].
const (
	MaxWarmURLs   = 1_000
	MaxWarmCopies = 10_000 // URLs times regions
)

// A WarmRequest is the body of a POST to [WarmPath], which begins a job.
type WarmRequest struct {
	Service string   `json:"service"`
	Regions []string `json:"regions,omitempty"` // none, or only EveryRegion: all of the service
	URLs    []string `json:"urls"`              // 1 to MaxWarmURLs
	// Partial has URLs that are refused counted as failed, and the others asked for.
	// Without it one such URL refuses the request.
	Partial bool `json:"partial"`
}

// A Job asks for many copies in the background. It is the answer of [WarmPath] and of
// [JobPrefix], and says how far the job is.
type Job struct {
	ID          string       `json:"id"`
	State       JobState     `json:"state"`
	Service     string       `json:"service"`
	Regions     []string     `json:"regions"`
	URLs        int          `json:"urls"`               // each counted once
	Counts      JobCounts    `json:"counts"`             // of copies: URLs times regions
	Failures    []JobFailure `json:"failures,omitempty"` // the first of them
	FailedURLs  []int        `json:"failed_urls"`        // indexes of the URLs of which at least one copy failed
	PendingURLs []int        `json:"pending_urls"`       // indexes of the URLs of which at least one copy is not done
	Shared      bool         `json:"shared"`             // other processes find the job
	CreatedAt   time.Time    `json:"created_at"`
	FinishedAt  *time.Time   `json:"finished_at,omitempty"`
}

// A JobState says whether a job runs, or how it ended.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"    // every copy is present or failed
	JobStopped JobState = "stopped" // it ran out of time, or its process stopped in order
	JobLost    JobState = "lost"    // its process is gone
)

// JobCounts are numbers of copies.
type JobCounts struct {
	Pending int   `json:"pending"`
	Present int   `json:"present"`
	Error   int   `json:"error"`
	Bytes   int64 `json:"bytes"` // of the copies that were made while the job waited for them
}

// A JobFailure is a copy that failed.
type JobFailure struct {
	Index   int              `json:"index"` // of the URL in the request
	URL     string           `json:"url"`   // without its query; "": the request's is none
	Region  string           `json:"region"`
	Code    cloudmirror.Code `json:"code"`
	Message string           `json:"message"`
}
