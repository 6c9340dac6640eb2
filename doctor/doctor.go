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

// Options are what Examine looks at.
type Options struct {
	Config *config.Config // required
	// Cache has Redis tell about itself. nil: there is none.
	Cache func(context.Context) ([]rediscache.NodeReport, error)
	// Processes returns what the processes of the deployment say of themselves. nil:
	// they say it nowhere.
	Processes func(context.Context) ([]presence.Note, error)
	// Resources are those of the configuration, in the order of provisioning.
	Resources []provision.Resource
	Backends  []Backend
	Client    *http.Client     // fetches copies as clients do; required
	Now       func() time.Time // our clock; nil: time.Now
}

// A Backend is one of the configuration, as far as it can be looked at from
// outside of a server.
type Backend struct {
	ID      cloudmirror.BackendID
	Queue   JobQueue // nil: in the memory of a server
	Storage Bucket   // nil: files of a server
	Name    string   // of the bucket, as its resources have it
	Prefix  string   // of its keys
	Private bool     // clients need signed addresses
	CORS    bool     // scripts of pages must be able to read copies
}

// A JobQueue is what is asked of a queue.
type JobQueue interface {
	queue.Counter
	clock
}

// A Bucket is what is asked of a storage.
type Bucket interface {
	storage.Provider
	clock
	// SidecarURL returns where clients must not be able to read; "": nowhere.
	SidecarURL(ctx context.Context, key string) (string, error)
}

type clock interface {
	ServerTime(ctx context.Context) (time.Time, error)
}

// An examination is one run.
type examination struct {
	Options
	tell     func(Finding)
	found    map[string]bool // subjects with a complaint
	unusable map[string]bool // buckets and queues that are not there
}

// Examine looks at everything, one after the other, and tells each finding. A
// subject without any has one that is OK. Once ctx ends it removes what it made,
// tells nothing but that it could not, and returns.
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

// done tells that a subject is as it should be, unless something was said of it.
func (e *examination) done(subject string) {
	if !e.found[subject] {
		e.tell(Finding{ID: Looked, Severity: OK, Subject: subject})
	}
}

// Differences of clocks. AWS refuses signatures that are 15 minutes off, some
// services 5.
const (
	slightSkew = 5 * time.Second
	badSkew    = 5 * time.Minute
)

// clock complains of a clock that is not like ours.
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
