package frontend

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloudmirror"
	"cloudmirror/api"
	"cloudmirror/cache"
	"cloudmirror/engine"
)

// States of a copy, as an explanation has them: those of an entry, told apart by what
// a client has to wait for.
const (
	copyAbsent       = "absent"
	copyPurged       = "purged" // absent, and purged in the last minutes
	copyQueued       = "queued"
	copyDelayed      = "delayed"
	copyWaitsForHost = "waits-for-host"
	copyCopying      = "copying"
	copyLost         = "lost" // its copier is gone, or its job
	copyPresent      = "present"
	copyFailed       = "failed"          // tried again at error.retry_at
	copyFailedFinal  = "failed-for-good" // not tried again before expires_at
	copyGivenUp      = "given-up"        // the same, and its job is a dead letter
	copyUnknown      = "unknown"         // the cache or the storage is down, and the other cannot tell
)

// explainCopy describes the copy in a region.
func (ad *administration) explainCopy(ctx context.Context, c *candidate, view engine.View, err error, isOperator bool) api.ExplainedPlace {
	p := ad.describeCopy(ctx, c, view, err, isOperator)
	switch c.excluded {
	case reasonDirect:
		p.Why = "The URL matches a direct pattern: it is never copied."
	case reasonUnreachable:
		p.Why = "Clients cannot fetch the copies of this region now. " + p.Why
	default:
	}
	return p
}

// describeCopy describes the copy in a region, whether clients can get it or not.
func (ad *administration) describeCopy(ctx context.Context, c *candidate, view engine.View, err error, isOperator bool) api.ExplainedPlace {
	p := api.ExplainedPlace{Region: c.place.Backend.Region, State: copyUnknown}
	if err != nil {
		p.Why = "It cannot be told now: the cache or the storage is down."
		return p
	}
	e, now := view.Entry, view.Now
	p.Progress = ad.progressOf(ctx, *c.want, view, isOperator)
	p.State, p.Tries, p.Error = stateOf(view, p.WaitsFor), e.Tries, describeFailure(e.Failure)
	if p.Error != nil && isOperator {
		p.Error.Cause = e.Failure.Cause
	}
	switch e.State {
	case cache.Present:
		p.SizeBytes, p.ExpiresAt = &e.Copy.SizeBytes, timestamp(e.Until)
	case cache.Failed:
		p.ExpiresAt = timestamp(e.Until)
	case cache.Absent, cache.Reserved, cache.Queued, cache.Copying, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	p.Why = copyText(&p, now)
	if p.State != copyPresent && p.State != copyCopying && c.excluded != reasonDirect && ad.hasNoCopier(ctx, c.place.Backend) {
		p.Why += " No process says that it copies to this region: start a copier for it."
	}
	return p
}

func stateOf(v engine.View, waitsFor string) string {
	e := v.Entry
	switch e.State {
	case cache.Present:
		return copyPresent
	case cache.Reserved, cache.Queued, cache.Copying:
		return map[string]string{
			api.WaitsForCopier: copyQueued, api.WaitsForDelay: copyDelayed, api.WaitsForHost: copyWaitsForHost,
			api.WaitsForCopy: copyCopying, api.WaitsForRequest: copyLost,
		}[waitsFor]
	case cache.Failed:
		switch {
		case !e.Failure.Permanent:
			return copyFailed
		case isGivenUp(e):
			return copyGivenUp
		}
		return copyFailedFinal
	case cache.Absent, cache.Tombstone, cache.Fenced, cache.Evicting:
	}
	if v.Now.Before(e.PurgedUntil) {
		return copyPurged
	}
	return copyAbsent
}

// isGivenUp reports whether the job of a permanent failure is a dead letter: if
// copiers died over it, or if its last try failed in a way that is tried again.
func isGivenUp(e cache.Entry) bool {
	switch e.Failure.Code {
	case cloudmirror.CodeCopierLost:
		return true
	case cloudmirror.CodeObjectTooLarge, cloudmirror.CodeTooManyRedirects, cloudmirror.CodeRedirectNotAllowed,
		cloudmirror.CodeURLNotAllowed, cloudmirror.CodeURLDirect, cloudmirror.CodeInvalidURL:
		return false
	default:
		status, _ := finalStatus(e.Failure)
		return e.Tries >= engine.MaxTries && status == 0
	}
}

// copyText returns sentences about the state of a copy.
func copyText(p *api.ExplainedPlace, now time.Time) string {
	switch p.State {
	case copyPurged:
		return "It was purged a moment ago. The next client who asks has a new copy made."
	case copyQueued:
		return "Its job waits for a copier" + sinceText(p.QueuedSince, now) + "."
	case copyDelayed:
		return fmt.Sprintf("A copier put its job back into the queue, and one gets it again %s.%s", moment(*p.DelayedUntil, now), queuedText(p.QueuedSince, now))
	case copyWaitsForHost:
		host := p.WaitsForHost.Host
		if host == "" {
			host = "another host, to which the origin redirects"
		}
		return fmt.Sprintf("Its job waits for %s: %d of %d copies of it run.%s", host, p.WaitsForHost.Turns, p.WaitsForHost.MaxTurns, queuedText(p.QueuedSince, now))
	case copyCopying:
		return "It is being copied: " + amountText(&p.Progress) + "."
	case copyLost:
		return "Its copier is gone, or its job is lost. The next client who asks has the job sent again."
	case copyPresent:
		return fmt.Sprintf("There is a copy of %s. It expires %s.", byteText(*p.SizeBytes), moment(*p.ExpiresAt, now))
	case copyFailed:
		if p.Error.RetryAt == nil || !p.Error.RetryAt.After(now) {
			return failureText(p.Error) + " The next client who asks has it tried again."
		}
		return fmt.Sprintf("%s The next try is due %s, if a client wants it then.", failureText(p.Error), moment(*p.Error.RetryAt, now))
	case copyFailedFinal:
		return fmt.Sprintf("%s The next try is due %s, at the earliest.", failureText(p.Error), moment(*p.ExpiresAt, now))
	case copyGivenUp:
		return fmt.Sprintf("%s It was given up after %d tries, and its job is a dead letter. The next try is due %s, at the earliest.", failureText(p.Error), p.Tries, moment(*p.ExpiresAt, now))
	default:
		return "There is no copy. The next client who asks has one made."
	}
}

// amountText says how far a running copy is, and how fast.
func amountText(p *api.Progress) string {
	var parts []string
	if p.Percent != nil {
		parts = append(parts, fmt.Sprintf("%d %% of %s", *p.Percent, byteText(*p.TotalBytes)))
	} else if p.DoneBytes != nil {
		parts = append(parts, byteText(*p.DoneBytes)+" so far")
	}
	if p.BytesPerSecond != nil {
		parts = append(parts, byteText(*p.BytesPerSecond)+"/s")
	}
	if p.CopiedBy != "" {
		parts = append(parts, "by "+p.CopiedBy)
	}
	return strings.Join(parts, ", ")
}

func failureText(e *api.CopyError) string {
	return "The last try failed with " + string(e.Code) + ": " + e.Message
}

func queuedText(since *time.Time, now time.Time) string {
	if since == nil {
		return ""
	}
	return " It was queued " + moment(*since, now) + "."
}

func sinceText(since *time.Time, now time.Time) string {
	if since == nil {
		return ""
	}
	return ", queued " + moment(*since, now)
}

// moment returns a time for people, relative and absolute: "in 12 s (05:08:20 UTC)".
func moment(t, now time.Time) string {
	layout := "15:04:05"
	if t = t.UTC(); t.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		layout = time.DateTime
	}
	absolute := " (" + t.Format(layout) + " UTC)"
	if d := t.Sub(now); d > 0 {
		return "in " + durationText(d) + absolute
	}
	return durationText(now.Sub(t)) + " ago" + absolute
}

// durationText returns a duration in one unit, of at least 2 where there is a smaller
// one.
func durationText(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", (d+time.Second/2)/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// byteText returns a number of bytes with a decimal unit.
func byteText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n)
	units := [...]string{"kB", "MB", "GB", "TB", "PB", "EB"}
	i := -1
	for value >= 999.95 && i < len(units)-1 {
		value /= 1000
		i++
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}
