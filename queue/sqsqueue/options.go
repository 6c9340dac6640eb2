package sqsqueue

import (
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/zap"

	"cloudmirror"
)

// Limits of SQS (Developer Guide, "Amazon SQS message quotas").
const (
	maxVisibility = 12 * time.Hour // of one message, from its receive on
	maxWaitTime   = 20 * time.Second
	maxBatch      = 10   // entries of a batch; messages of a receive
	maxRedrive    = 1000 // maxReceiveCount of a redrive policy
)

// MaxBatchBytes is the size of the largest message and of the largest batch that a
// Queue sends. SQS takes 1 MiB since 2025, but less with older queues and other servers.
const MaxBatchBytes = 256 << 10

// RequestTimeout bounds a request, its retries included, beside the caller's
// context: a connection that hangs must not be waited for without end. Long
// polls have their waiting time in addition.
const RequestTimeout = 5 * time.Second

// Options of a Queue. Each zero value stands for the default, where there is one.
type Options struct {
	Client      *sqs.Client           // required; NewClient makes one
	Backend     cloudmirror.BackendID // required
	Prefix      string                // of the queues' names; none
	Visibility  time.Duration         // how long a receive hides a message, in whole seconds; 60 s
	MaxReceives int                   // a message received more often is unfit; 5
	Create      bool                  // create queues that are missing
	WaitTime    time.Duration         // of a long poll, in whole seconds; 20 s; negative: do not wait
	Logger      *zap.Logger           // none
	Now         func() time.Time      // the clock; time.Now
}

func (o Options) withDefaults() Options {
	if o.Visibility == 0 {
		o.Visibility = 60 * time.Second
	}
	if o.MaxReceives == 0 {
		o.MaxReceives = 5
	}
	if o.WaitTime == 0 {
		o.WaitTime = maxWaitTime
	}
	o.WaitTime = max(o.WaitTime, 0)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check reports an option that is missing, or that SQS would refuse.
func (o Options) check() error {
	_, dead := o.Names()
	switch {
	case o.Client == nil:
		return fmt.Errorf("sqsqueue: no client")
	case o.Backend.Check() != nil:
		return fmt.Errorf("sqsqueue: %w", o.Backend.Check())
	case !regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`).MatchString(dead):
		return fmt.Errorf("sqsqueue: the queue name %q must have at most 80 letters, digits, hyphens and underscores", dead)
	case o.Visibility < time.Second || o.Visibility > maxVisibility || o.Visibility%time.Second != 0:
		return fmt.Errorf("sqsqueue: the visibility %v must be whole seconds, 1s to %v", o.Visibility, maxVisibility)
	case o.WaitTime > maxWaitTime || o.WaitTime%time.Second != 0:
		return fmt.Errorf("sqsqueue: the wait time %v must be whole seconds, at most %v", o.WaitTime, maxWaitTime)
	case o.MaxReceives < 1 || o.MaxReceives > maxRedrive:
		return fmt.Errorf("sqsqueue: the number of receives %d must be 1 to %d", o.MaxReceives, maxRedrive)
	}
	return nil
}

// Names returns the names of the queue of the jobs and of that of the dead letters.
func (o Options) Names() (jobs, dead string) {
	jobs = o.Prefix + o.Backend.Service + "-" + o.Backend.Region
	return jobs, jobs + "-dead" // no region ends so
}
