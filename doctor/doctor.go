package doctor

import (
	"context"
	"net/http"
	"time"

	"cloudmirror"
	"cloudmirror/cache/rediscache"
	"cloudmirror/config"
	"cloudmirror/presence"
	"cloudmirror/provision"
	"cloudmirror/queue"
	"cloudmirror/storage"
)

// Options are what Examine checks.
type Options struct {
	Config *config.Config // required
	// Cache returns a report of each server of Redis. nil: the cache is in memory.
	Cache func(context.Context) ([]rediscache.NodeReport, error)
	// Processes returns the presence notes of the deployment's processes. nil: they
	// write none.
	Processes func(context.Context) ([]presence.Note, error)
	// Resources are those of the configuration, in the order of provisioning.
	Resources []provision.Resource
	Backends  []Backend
	Client    *http.Client     // fetches copies as clients do; required
	Now       func() time.Time // clock of this machine; nil: time.Now
}

// A Backend is a backend of the configuration, as far as a process that is no
// server can check it.
type Backend struct {
	ID      cloudmirror.BackendID
	Queue   JobQueue // nil: it is in the memory of a server
	Storage Bucket   // nil: it is files of a server
	Name    string   // of the bucket, as its resources have it
	Prefix  string   // of its keys
	Private bool     // clients need signed addresses
	CORS    bool     // scripts of pages must be able to read copies
}

// A JobQueue is what doctor asks of a queue.
type JobQueue interface {
	queue.Counter
	clock
}

// A Bucket is what doctor asks of a storage.
type Bucket interface {
	storage.Provider
	clock
	// SidecarURL returns the address of what clients must not be able to read; "":
	// there is none.
	SidecarURL(ctx context.Context, key string) (string, error)
}

type clock interface {
	ServerTime(ctx context.Context) (time.Time, error)
}

// An examination is one run.
type examination struct {
	Options
	tell     func(Finding)
	found    map[string]bool // subjects with a finding above Info
	unusable map[string]bool // buckets and queues that are missing or unreachable
}

// Examine checks everything, one after the other, and calls tell with each finding.
// A subject with which nothing is wrong has a finding that is OK. Once ctx ends,
// Examine removes what it made, tells nothing but a failure of that, and returns.
func Examine(ctx context.Context, o Options, tell func(Finding)) {
	if o.Now == nil {
		o.Now = time.Now
	}
	untilDone := func(f Finding) {
		if ctx.Err() == nil || f.ID == CopyUnremoved {
			tell(f)
		}
	}
	e := &examination{Options: o, tell: untilDone, found: make(map[string]bool), unusable: make(map[string]bool)}
	e.configuration()
	if o.Cache != nil && e.cache(ctx) && o.Processes != nil {
		e.copiers(ctx)
	}
	e.resources(ctx)
	for _, b := range o.Backends {
		if ctx.Err() != nil {
			return
		}
		if b.Queue != nil && !e.unusable[string(provision.Queue)+" "+o.Config.Queue.SQS.QueueName(b.ID)] {
			e.queue(ctx, b)
		}
		if b.Storage != nil && !e.unusable[string(provision.Bucket)+" "+b.Name] {
			e.copies(ctx, b)
		}
	}
}

func (e *examination) report(f Finding) {
	e.found[f.Subject] = e.found[f.Subject] || f.Severity != Info
	e.tell(f)
}

// done tells that a subject is OK, unless a finding says otherwise.
func (e *examination) done(subject string) {
	if !e.found[subject] {
		e.tell(Finding{ID: Looked, Severity: OK, Subject: subject})
	}
}

// Differences of clocks. AWS refuses signatures that are 15 minutes off, some of
// its services 5 minutes.
const (
	slightSkew = 5 * time.Second
	badSkew    = 5 * time.Minute
)

// clock reports a clock that differs from the one of this machine.
func (e *examination) clock(subject string, ahead time.Duration) {
	severity := Warning
	switch off := ahead.Abs(); {
	case off < slightSkew:
		return
	case off >= badSkew:
		severity = Error
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	e.report(Finding{
		ClockApart, severity, subject,
		"its clock is " + ahead.Abs().Round(time.Second).String() + " " + direction + " the one of this machine",
		"have NTP set the clock of whichever is wrong: requests to AWS are refused when ours is 5 to 15 minutes off",
	})
}
