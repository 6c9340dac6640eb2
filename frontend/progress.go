package frontend

import (
	"context"
	"time"

	"cloudmirror"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/presence"
)

// What a client of a copy that is being made waits for.
const (
	waitsForCopier  = "copier"  // the job is in its queue, and no copier works on it
	waitsForDelay   = "delay"   // a copier put the job back, and none gets it before delayed_until
	waitsForHost    = "host"    // a copier has the job; as many copies of its host run as may
	waitsForCopy    = "copy"    // a copier asks the origin, or gets bytes
	waitsForRequest = "request" // its copier is gone, or the job is lost: the next client who asks has it sent again
)

// A progress is what is known of a copy that is being made. Members that are not
// known are left out.
type progress struct {
	WaitsFor     string     `json:"waits_for,omitempty"`
	QueuedSince  *time.Time `json:"queued_since,omitempty"`
	DelayedUntil *time.Time `json:"delayed_until,omitempty"`
	WaitsForHost *hostTurns `json:"waits_for_host,omitempty"`
	CopiedBy     string     `json:"copied_by,omitempty"` // the process that has the job; for operators

	DoneBytes      *int64 `json:"done_bytes,omitempty"`
	TotalBytes     *int64 `json:"total_bytes,omitempty"` // only if the origin said
	Percent        *int64 `json:"percent,omitempty"`
	BytesPerSecond *int64 `json:"bytes_per_second,omitempty"`
}

// hostTurns is a host of which as many copies run as may.
type hostTurns struct {
	Host     string `json:"host,omitempty"` // scheme, host and port; left out for strangers if it is not the URL's own
	Turns    int    `json:"turns"`          // copies of it that run in the process
	MaxTurns int    `json:"max_turns"`
}

// progressOf returns what entry and processes say of a copy that is being made; the
// zero progress of any other.
func (ad *administration) progressOf(ctx context.Context, w engine.Want, v engine.View, isOperator bool) (p progress) {
	e := v.Entry
	if !e.Pending() {
		return p
	}
	p.WaitsFor = waitsForCopier
	if q := e.Queueing; q != nil {
		p.QueuedSince = timestamp(q.Since)
		if q.DelayedTo.After(v.Now) {
			p.WaitsFor, p.DelayedUntil = waitsForDelay, timestamp(q.DelayedTo)
		}
	}
	if e.State == cache.Copying {
		p.WaitsFor = waitsForCopy
		p.setBytes(e.Progress.DoneBytes, e.Progress.TotalBytes)
	}
	held, holder, found := ad.heldCopy(ctx, w)
	switch {
	case !found && e.Lapsed(v.Now):
		p.WaitsFor = waitsForRequest
	case !found:
	case held.State == presence.WaitsForHost:
		p.WaitsFor, p.DelayedUntil = waitsForHost, nil
		p.WaitsForHost = &hostTurns{Host: held.Host, Turns: held.Turns, MaxTurns: held.MaxTurns}
		if !isOperator && held.Host != w.Object.Origin() {
			p.WaitsForHost.Host = "" // where the origin redirects to is not for strangers
		}
	default:
		p.WaitsFor, p.DelayedUntil = waitsForCopy, nil
		p.setBytes(held.DoneBytes, held.TotalBytes) // newer than the entry's
		p.BytesPerSecond = new(max(held.BytesPerSecond, 0))
	}
	if found && isOperator {
		p.CopiedBy = holder
	}
	return p
}

// setBytes notes how much of a body is there. Total is negative if the origin did
// not say.
func (p *progress) setBytes(done, total int64) {
	p.DoneBytes, p.TotalBytes, p.Percent = new(max(done, 0)), nil, nil
	if total < 0 {
		return
	}
	p.TotalBytes = new(total)
	if total > 0 {
		p.Percent = new(int64(100 * (float64(min(*p.DoneBytes, total)) / float64(total))))
	}
}

// heldCopy returns what processes say of a job that one of them has, and the name of
// that process. A process that copies counts more than one that waits: the job of
// the latter is a duplicate.
func (ad *administration) heldCopy(ctx context.Context, w engine.Want) (held presence.Copy, holder string, found bool) {
	hash, backend := w.Object.Hash(), w.Backend.String()
	for _, note := range ad.deployment(ctx).notes {
		for _, c := range note.Copies {
			if c.Object != hash || c.Backend != backend || found && c.State == presence.WaitsForHost {
				continue
			}
			held, holder, found = c, note.Name, true
		}
	}
	return held, holder, found
}

// hasNoCopier reports whether all processes are known, and none of them says that it
// works on the jobs of a backend.
func (ad *administration) hasNoCopier(ctx context.Context, id cloudmirror.BackendID) bool {
	copiers := ad.deployment(ctx).copiers(id.String())
	return copiers != nil && *copiers == 0
}
