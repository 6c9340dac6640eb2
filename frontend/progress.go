package frontend

import (
	"context"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
	"cloudmirror/presence"
)

// progressOf returns what entry and processes say of a copy that is being made; the
// zero Progress of any other.
func (ad *administration) progressOf(ctx context.Context, w engine.Want, v engine.View, isOperator bool) (p api.Progress) {
	e := v.Entry
	if !e.Pending() {
		return p
	}
	p.WaitsFor = api.WaitsForCopier
	if q := e.Queueing; q != nil {
		p.QueuedSince = timestamp(q.Since)
		if q.DelayedTo.After(v.Now) {
			p.WaitsFor, p.DelayedUntil = api.WaitsForDelay, timestamp(q.DelayedTo)
		}
	}
	if e.State == cache.Copying {
		p.WaitsFor = api.WaitsForCopy
		setBytes(&p, e.Progress.DoneBytes, e.Progress.TotalBytes)
	}
	held, holder, found := ad.heldCopy(ctx, w)
	switch {
	case !found && e.Lapsed(v.Now):
		p.WaitsFor = api.WaitsForRequest
	case !found:
	case held.State == presence.WaitsForHost:
		p.WaitsFor, p.DelayedUntil = api.WaitsForHost, nil
		p.WaitsForHost = &api.HostTurns{Host: held.Host, Turns: held.Turns, MaxTurns: held.MaxTurns}
		if !isOperator && held.Host != w.Object.Origin() {
			p.WaitsForHost.Host = "" // where the origin redirects to is not for strangers
		}
	default:
		p.WaitsFor, p.DelayedUntil = api.WaitsForCopy, nil
		setBytes(&p, held.DoneBytes, held.TotalBytes) // newer than the entry's
		p.BytesPerSecond = new(max(held.BytesPerSecond, 0))
	}
	if found && isOperator {
		p.CopiedBy = holder
	}
	return p
}

// setBytes notes how much of a body is there. Total is negative if the origin did
// not say.
func setBytes(p *api.Progress, done, total int64) {
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
