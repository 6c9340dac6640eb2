package doctor

import (
	"context"
	"fmt"

	"cloudmirror"
	"cloudmirror/provision"
)

// queue reports a backend's dead letters, and a clock of its server that is wrong.
func (e *examination) queue(ctx context.Context, b Backend) {
	subject := "queue of " + b.ID.String()
	serverTime, err := b.Queue.ServerTime(ctx)
	if err != nil {
		e.report(Finding{ID(string(provision.Queue) + endUnknown), Error, subject, cloudmirror.Brief(err), "check queue.sqs, and the credentials"})
		return
	}
	e.clock(subject, serverTime.Sub(e.Now()))
	counts, err := b.Queue.Count(ctx)
	switch {
	case err != nil:
		e.report(Finding{ID(string(provision.Queue) + endUnknown), Error, subject, cloudmirror.Brief(err), "allow sqs:GetQueueAttributes on it and on its dead letters"})
	case counts.Dead > 0:
		e.report(Finding{
			LettersWaiting, Warning, subject, fmt.Sprintf("%d dead letters wait to be read", counts.Dead),
			fmt.Sprintf("read them: cloudmirror dlq ls --service %s --region %s", b.ID.Service, b.ID.Region),
		})
	}
	e.done(subject)
}
